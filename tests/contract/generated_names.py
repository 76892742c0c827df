"""How sqlc-gen-python 1.3 names and types things: the rules that its Python follows from SQL."""

import re

from tests.contract.generated_description import Catalog, Column, Identifier, Schema

_TYPES = {
    "int": "serial|serial4|pg_catalog.serial4|bigserial|serial8|pg_catalog.serial8|smallserial|serial2"
    "|pg_catalog.serial2|integer|int|int4|pg_catalog.int4|bigint|int8|pg_catalog.int8|smallint|int2|pg_catalog.int2",
    "float": "float|double precision|float8|pg_catalog.float8|real|float4|pg_catalog.float4",
    "decimal.Decimal": "numeric|pg_catalog.numeric|money",
    "bool": "boolean|bool|pg_catalog.bool",
    "Any": "json|jsonb",
    "memoryview": "bytea|blob|pg_catalog.bytea",
    "datetime.date": "date",
    "datetime.time": "pg_catalog.time|pg_catalog.timetz",
    "datetime.datetime": "pg_catalog.timestamp|pg_catalog.timestamptz|timestamptz",
    "datetime.timedelta": "interval|pg_catalog.interval",
    "str": "text|pg_catalog.varchar|pg_catalog.bpchar|string|citext|inet|cidr|macaddr|macaddr8|ltree|lquery|ltxtquery",
    "uuid.UUID": "uuid",
}
_PYTHON_TYPES = {sql: python for python, names in _TYPES.items() for sql in names.split("|")}

# The plural endings that the plugin knows, in the order in which it tries them.
_SINGULARS = (
    (r"(alias|status|bus)(es)?$", r"\1"),
    (r"(x|ch|ss|sh)es$", r"\1"),
    (r"([^aeiouy]|qu)ies$", r"\1y"),
    (r"(ss)$", r"\1"),
    (r"s$", ""),
)
# It also knows these, which no table here is likely to need.
_RARE_PLURAL = re.compile(
    r"(?:[ti]a|news|ves|hives|series|movies|cookies|species|oes|[ml]ice|is|(?:naly|ba|diagno|parenthe|progno|synop|the"
    r"|cri)ses|testes|octopus|octopi|virus|viri|oxen|indices|vertices|matrices|quizzes|axes"
    r"|people|men|children|moves|mombies|jeans)$"
)


def python_schemas(catalog: Catalog) -> list[Schema]:
    """Return the schemas that have Python classes."""
    return [schema for schema in catalog.schemas if schema.name not in ("pg_catalog", "information_schema")]


def method_name(query_name: str) -> str:
    """Return the method of a query: GetExchangeById is get_exchange_by_id."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", query_name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def class_name(name: str) -> str:
    """Return the class for a snake_case name."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def enum_member_name(value: str) -> str:
    """Return the Python name of an enum's value."""
    return re.sub(r"[^a-zA-Z0-9_]+", "", re.sub(r"[-:/]", "_", value)).upper()


def singular(table: str) -> str:
    """Return the name of one row of `table`; a plural of a rarer kind is refused rather than guessed."""
    if table in ("campus", "meta"):
        return table
    if _RARE_PLURAL.search(table):
        raise ValueError(f"table {table}: no rule here for its singular: see how the plugin names it, then add one")
    for plural, one in _SINGULARS:
        if re.search(plural, table):
            return re.sub(plural, one, table)
    return table


def class_of(catalog: Catalog, schema: str, name: str) -> str:
    """Return the class for a name in a schema; only another than the default schema shows in it."""
    return class_name(name if schema == catalog.default_schema else f"{schema}_{name}")


def _inner_type(catalog: Catalog, type_: Identifier) -> str:
    name = f"{type_.schema}.{type_.name}" if type_.schema else type_.name
    if name in _PYTHON_TYPES:
        return _PYTHON_TYPES[name]
    for schema in python_schemas(catalog):
        if name in (enum.name for enum in schema.enums):
            return "models." + class_of(catalog, schema.name, name)
    return "Any"


def annotation(catalog: Catalog, column: Column) -> str:
    """Return the annotation of a column: List for arrays, Optional for what may be NULL."""
    text = _inner_type(catalog, column.type)
    if column.is_array:
        text = f"List[{text}]"
    return text if column.not_null else f"Optional[{text}]"


def same_table(catalog: Catalog, one: Identifier | None, other: Identifier) -> bool:
    """Say whether a column's table is `other`; without a schema it is the default one's."""
    if one is None:
        return False
    return (one.catalog, one.schema or catalog.default_schema, one.name) == (other.catalog, other.schema, other.name)


def sqlalchemy_sql(text: str) -> str:
    r"""Return SQL as it stands in the Python file: each colon as \\:, each $1 as :p1."""
    return re.sub(r"\B\$(\d+)\b", r":p\1", text.replace(":", r"\\:"), flags=re.ASCII)
