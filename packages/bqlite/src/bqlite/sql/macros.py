"""DuckDB macros that give BigQuery's meaning where DuckDB's own function differs.

`typeof` is known when a query is bound, so DuckDB drops the branches that do not apply.
"""

_IS_INTEGER = r"regexp_full_match(trim(x::VARCHAR), '[+-]?([0-9]+|0[xX][0-9a-fA-F]+)')"
_BOOL_WORD = "lower(x::VARCHAR)"
_OUTSIDE_STRINGS = r"""regexp_replace(x::VARCHAR, '"(\\.|[^"\\])*"', '', 'g')"""
# A number of more than 17 significant digits with a point or an exponent, or of more than 64 bits.
_INEXACT = "|".join(
    [
        r"(^|[^0-9.])[0-9]{20}",
        r"[1-9][0-9]{17,}[.eE]",
        r"(^|[^0-9])0[.]0*[1-9][0-9]{17}",
        *(f"[1-9][0-9]{{{whole}}}[.][0-9]{{{17 - whole}}}" for whole in range(17)),
        r"[eE][+]?[0-9]{3}",
    ]
)
# DuckDB makes these values outside its memory limit and cannot be interrupted while it does.
MAX_ELEMENTS = 1_048_575  # of an array that is generated, as in BigQuery
MAX_TEXT = 1 << 20  # characters that REPEAT, REPLACE, LPAD and RPAD give
MAX_REPLACED = 16 * MAX_TEXT  # characters of a text times those that REGEXP_REPLACE puts in
_TOO_LONG = f"error('bqlite generates arrays of at most {MAX_ELEMENTS:,} elements')"

MACROS: tuple[str, ...] = (
    # Division: a FLOAT64, and an error when the divisor is zero.
    """CREATE MACRO bq_div(a, b) AS CASE
         WHEN typeof(a) LIKE 'DECIMAL%' AND typeof(b) NOT IN ('DOUBLE', 'FLOAT')
           OR typeof(b) LIKE 'DECIMAL%' AND typeof(a) NOT IN ('DOUBLE', 'FLOAT')
           THEN error('division of NUMERIC is refused by bqlite: cast to FLOAT64')
         WHEN b = 0 AND a IS NOT NULL THEN error('division by zero: ' || a::VARCHAR || ' / 0')
         ELSE CAST(a AS DOUBLE) / CAST(b AS DOUBLE) END""",
    """CREATE MACRO bq_safe_divide(a, b) AS CASE
         WHEN typeof(a) LIKE 'DECIMAL%' AND typeof(b) NOT IN ('DOUBLE', 'FLOAT')
           OR typeof(b) LIKE 'DECIMAL%' AND typeof(a) NOT IN ('DOUBLE', 'FLOAT')
           THEN error('division of NUMERIC is refused by bqlite: cast to FLOAT64')
         WHEN b = 0 THEN NULL ELSE CAST(a AS DOUBLE) / CAST(b AS DOUBLE) END""",
    """CREATE MACRO bq_ieee_divide(a, b) AS CASE
         WHEN b <> 0 OR b IS NULL OR a IS NULL THEN CAST(a AS DOUBLE) / CAST(b AS DOUBLE)
         WHEN a > 0 AND NOT isnan(a::DOUBLE) THEN 'inf'::DOUBLE
         WHEN a < 0 THEN '-inf'::DOUBLE ELSE 'nan'::DOUBLE END""",
    """CREATE MACRO bq_int_div(a, b) AS CASE
         WHEN regexp_matches(typeof(a) || typeof(b), 'DOUBLE|FLOAT|DECIMAL')
           THEN error('DIV of anything but INT64 is refused by bqlite')
         WHEN b = 0 AND a IS NOT NULL THEN error('division by zero: DIV(' || a::VARCHAR || ', 0)')
         ELSE a // nullif(b, 0) END""",
    """CREATE MACRO bq_mod(a, b) AS CASE
         WHEN b = 0 AND a IS NOT NULL THEN error('division by zero: MOD(' || a::VARCHAR || ', 0)')
         ELSE a % nullif(b, 0) END""",
    # Numbers: a whole one rounds to a FLOAT64, and shifts in zeros.
    # Of an aggregate DuckDB does not know the type when it chooses among typed macros of one name;
    # a NULL of the same type, rounded up, brings a FLOAT64 to a whole number only.
    """CREATE MACRO bq_real(x) AS x + coalesce(ceil(nullif(x, x)), 0)""",
    """CREATE MACRO bq_sign(x) AS sign(x) + coalesce(nullif(x, x), 0)""",
    """CREATE MACRO bq_shift_right(a, b) AS CASE
         WHEN a < 0 THEN error('>> of a negative number is refused by bqlite') ELSE a >> b END""",
    """CREATE MACRO bq_subtract(a, b) AS CASE
         WHEN typeof(b) = 'DATE' THEN error('DATE - DATE is refused by bqlite: use DATE_DIFF')
         ELSE a - b END""",
    """CREATE MACRO bq_corr(a, b) AS CASE
         WHEN regr_count(a, b) > 1 THEN corr(a, b) END""",
    # Casts: halves round away from zero, strings must be whole numbers, bytes are UTF-8.
    f"""CREATE MACRO bq_int64(x) AS CASE
         WHEN typeof(x) = 'VARCHAR' THEN CASE WHEN {_IS_INTEGER} OR x IS NULL
           THEN CAST(trim(x::VARCHAR) AS BIGINT)
           ELSE CAST(error('Bad int64 value: ' || x::VARCHAR) AS BIGINT) END
         WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT)
         ELSE CAST(x AS BIGINT) END""",
    f"""CREATE MACRO bq_safe_int64(x) AS CASE
         WHEN typeof(x) = 'VARCHAR' THEN CASE WHEN {_IS_INTEGER}
           THEN TRY_CAST(trim(x::VARCHAR) AS BIGINT) END
         WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN TRY_CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT)
         ELSE TRY_CAST(x AS BIGINT) END""",
    """CREATE MACRO bq_string(x) AS CASE
         WHEN typeof(x) = 'JSON' THEN error('Invalid cast from JSON to STRING')
         WHEN typeof(x) = 'BLOB' THEN decode(TRY_CAST(x AS BLOB))
         WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN CASE
           WHEN isnan(TRY_CAST(x AS DOUBLE)) THEN 'NaN'
           ELSE regexp_replace(x::VARCHAR, '\\.0$', '') END
         WHEN typeof(x) LIKE 'DECIMAL%' THEN
           regexp_replace(x::VARCHAR, '(\\.[0-9]*?)0+$', '\\1').rtrim('.')
         ELSE x::VARCHAR END""",
    """CREATE MACRO bq_bytes(x) AS CASE
         WHEN typeof(x) = 'VARCHAR' THEN encode(x::VARCHAR) ELSE CAST(x AS BLOB) END""",
    f"""CREATE MACRO bq_bool(x) AS CASE
         WHEN typeof(x) = 'VARCHAR' THEN CASE {_BOOL_WORD} WHEN 'true' THEN true
           WHEN 'false' THEN false
           ELSE CASE WHEN x IS NULL THEN NULL
             ELSE CAST(error('Bad bool value: ' || x::VARCHAR) AS BOOLEAN) END END
         WHEN NOT regexp_full_match(typeof(x), '(BOOLEAN|.*INT|.*INTEGER|.*INTEGER_LITERAL|"NULL")')
           THEN CAST(error('Invalid cast from ' || typeof(x) || ' to BOOL') AS BOOLEAN)
         ELSE CAST(x AS BOOLEAN) END""",
    f"""CREATE MACRO bq_safe_bool(x) AS CASE
         WHEN typeof(x) = 'VARCHAR' THEN CASE {_BOOL_WORD} WHEN 'true' THEN true
           WHEN 'false' THEN false END
         ELSE TRY_CAST(x AS BOOLEAN) END""",
    # Text on its way into a type of which DuckDB would take more than BigQuery.
    """CREATE MACRO bq_text(x, pattern, wanted) AS CASE
         WHEN typeof(x) <> 'VARCHAR' OR x IS NULL OR regexp_full_match(x::VARCHAR, pattern) THEN x
         ELSE error('Invalid ' || wanted || ': ' || x::VARCHAR) END""",
    """CREATE MACRO bq_safe_text(x, pattern, wanted) AS CASE
         WHEN typeof(x) <> 'VARCHAR' OR regexp_full_match(x::VARCHAR, pattern) THEN x END""",
    """CREATE MACRO bq_assign(x, accepted, wanted) AS CASE
         WHEN regexp_full_match(typeof(x), accepted) THEN x
         ELSE error('a value of type ' || typeof(x) || ' cannot be assigned to a column of type '
           || wanted) END""",
    # A DATE function given something else would otherwise lose its time of day.
    """CREATE MACRO bq_date(x) AS CASE
         WHEN typeof(x) IN ('DATE', 'VARCHAR', '"NULL"') THEN CAST(x AS DATE)
         ELSE error('a DATE function takes a DATE in bqlite, found ' || typeof(x)
           || ': use the TIMESTAMP_ or DATETIME_ function') END""",
    """CREATE MACRO bq_part(unit, x) AS CASE
         WHEN typeof(x) = 'INTERVAL' THEN error('EXTRACT from an INTERVAL is refused by bqlite')
         ELSE date_part(unit, x) END""",
    """CREATE MACRO bq_month_start(x) AS CASE
         WHEN day(x) > 28 THEN error('GENERATE_DATE_ARRAY by months from the 29th, 30th or 31st is '
           || 'refused by bqlite') ELSE x END""",
    """CREATE MACRO bq_timestamp_diff(a, b, unit_us) AS
         (epoch_us(CAST(a AS TIMESTAMPTZ)) - epoch_us(CAST(b AS TIMESTAMPTZ))) // unit_us""",
    """CREATE MACRO bq_unix(x, unit_us) AS (epoch_us(CAST(x AS TIMESTAMPTZ))
         - ((epoch_us(CAST(x AS TIMESTAMPTZ)) % unit_us) + unit_us) % unit_us) // unit_us""",
    # Strings and arrays: lengths and positions.
    """CREATE MACRO bq_byte_length(x) AS CASE
         WHEN typeof(x) = 'BLOB' THEN octet_length(TRY_CAST(x AS BLOB))
         ELSE strlen(x::VARCHAR) END""",
    """CREATE MACRO bq_substr(x, p) AS substr(x, CASE WHEN p = 0 THEN 1
         WHEN p < -length(x) THEN 1 ELSE p END)""",
    """CREATE MACRO bq_substr_length(x, p, n) AS CASE
         WHEN n < 0 THEN error('SUBSTR does not take a negative length')
         ELSE substr(x, CASE WHEN p = 0 THEN 1 WHEN p < -length(x) THEN 1 ELSE p END, n) END""",
    """CREATE MACRO bq_at(list, i) AS CASE
         WHEN i < 0 OR i >= len(list)
           THEN error('Array index ' || i::VARCHAR || ' is out of bounds')
         ELSE list[CAST(i + 1 AS BIGINT)] END""",
    """CREATE MACRO bq_safe_at(list, i) AS CASE
         WHEN i < 0 THEN NULL ELSE list[CAST(i + 1 AS BIGINT)] END""",
    """CREATE MACRO bq_regexp_extract(x, pattern, n) AS
         CASE WHEN regexp_matches(x, pattern) THEN regexp_extract(x, pattern, n) END""",
    # What is generated has a size that is known before; the error stands where DuckDB looks first.
    f"""CREATE MACRO bq_series(a, b, step) AS generate_series(a, CASE
         WHEN step = 0 THEN error('Sequence step cannot be 0.')
         WHEN (b::DOUBLE - a::DOUBLE) / step::DOUBLE >= {MAX_ELEMENTS}
           THEN {_TOO_LONG} ELSE b END, step)""",
    f"""CREATE MACRO bq_moments(a, b, step) AS generate_series(a, CASE
         WHEN a + step = a THEN error('Sequence step cannot be 0.')
         WHEN (epoch_us(b) - epoch_us(a)) / (epoch_us(a + step) - epoch_us(a))::DOUBLE
           >= {MAX_ELEMENTS} THEN {_TOO_LONG} ELSE b END, step)""",
    f"""CREATE MACRO bq_repeat(x, n) AS repeat(x, CASE WHEN n::DOUBLE * length(x) > {MAX_TEXT}
         THEN error('bqlite repeats to at most {MAX_TEXT:,} characters') ELSE n END)""",
    f"""CREATE MACRO bq_width(n) AS CASE WHEN n > {MAX_TEXT}
         THEN error('bqlite pads to at most {MAX_TEXT:,} characters') ELSE n END""",
    f"""CREATE MACRO bq_replace(x, a, b) AS replace(x, a, CASE
         WHEN length(x)::DOUBLE * length(b) > {MAX_TEXT} AND length(x)
           + (length(x) - length(replace(x, a, ''))) / length(a) * (length(b) - length(a))
           > greatest(length(x), {MAX_TEXT})
         THEN error('bqlite replaces to at most {MAX_TEXT:,} characters') ELSE b END)""",
    f"""CREATE MACRO bq_regexp_replace(x, pattern, b) AS regexp_replace(x, pattern, CASE
         WHEN length(b) > 1 AND length(x)::DOUBLE * length(b) > {MAX_REPLACED}
         THEN error('bqlite replaces by a pattern where the characters of the text times those of '
           || 'the replacement are at most {MAX_REPLACED:,}') ELSE b END, 'g')""",
    # A function of JSON gives JSON, and of JSON in a STRING gives a STRING.
    """CREATE MACRO bq_json_query
         (j VARCHAR, path) AS CASE WHEN json_type(j, path) <> 'NULL'
           THEN CAST(json_extract(j, path) AS VARCHAR) END,
         (j JSON, path) AS json_extract(j, path)""",
    """CREATE MACRO bq_json_query_array
         (j VARCHAR, path) AS CASE WHEN json_type(j, path) = 'ARRAY'
           THEN CAST(CAST(json_extract(j, path) AS JSON[]) AS VARCHAR[]) END,
         (j JSON, path) AS CASE WHEN json_type(j, path) = 'ARRAY'
           THEN CAST(json_extract(j, path) AS JSON[]) END""",
    """CREATE MACRO bq_json_value_array(j, path) AS CASE WHEN json_type(j, path) = 'ARRAY'
         AND len(list_filter(CAST(json_extract(j, path) AS JSON[]),
           lambda one: json_type(one) IN ('OBJECT', 'ARRAY'))) = 0
         THEN list_transform(CAST(json_extract(j, path) AS JSON[]),
           lambda one: json_extract_string(one, '$')) END""",
    # DuckDB reads NaN, and numbers that a FLOAT64 does not hold.
    f"""CREATE MACRO bq_parse_json(x) AS CASE
         WHEN regexp_matches({_OUTSIDE_STRINGS}, '(?i)nan|inf')
           THEN error('Invalid input: NaN and Infinity are not JSON')
         WHEN regexp_matches({_OUTSIDE_STRINGS}, '{_INEXACT}') THEN error('Invalid input: a JSON '
           || 'number that does not round-trip through FLOAT64 or INT64 is refused by bqlite')
         ELSE CAST(x AS JSON) END""",
    """CREATE MACRO bq_json_scalar(j, kinds, wanted) AS CASE
         WHEN typeof(j) <> 'JSON' THEN error(wanted || '(x) takes JSON, found ' || typeof(j))
         WHEN NOT list_contains(kinds, json_type(j))
           THEN error('The provided JSON input is not a ' || wanted || ': ' || j::VARCHAR)
         ELSE json_extract_string(j, '$') END""",
    """CREATE MACRO bq_string_of(x) AS CASE
         WHEN typeof(x) = 'JSON' THEN bq_json_scalar(x, ['VARCHAR'], 'STRING')
         ELSE bq_string(x) END""",
    # DuckDB writes NaN and infinities as they are, which is no JSON; BigQuery as strings.
    f"""CREATE MACRO bq_json_text(x) AS CASE
         WHEN NOT regexp_matches({_OUTSIDE_STRINGS}, 'NaN|Infinity') THEN x
         ELSE array_to_string(list_transform(
           regexp_extract_all(x, '"(?:\\\\.|[^"\\\\])*"|[^"]+'),
           lambda part: CASE WHEN part[1] = '"' THEN part
             ELSE regexp_replace(part, '(-?(?:NaN|Infinity))', '"\\1"', 'g') END), '') END""",
    """CREATE MACRO bq_to_json_string(x) AS CASE
         WHEN regexp_matches(typeof(x), 'TIME|BLOB')
           THEN error('TO_JSON of BYTES and of times is refused by bqlite: write it as STRING')
         ELSE coalesce(bq_json_text(CAST(to_json(x) AS VARCHAR)), 'null') END""",
    """CREATE MACRO bq_to_json(x) AS CASE
         WHEN regexp_matches(typeof(x), 'TIME|BLOB')
           THEN error('TO_JSON of BYTES and of times is refused by bqlite: write it as STRING')
         ELSE CAST(bq_json_text(CAST(to_json(x) AS VARCHAR)) AS JSON) END""",
    """CREATE MACRO bq_range_bucket(x, edges) AS CASE WHEN x IS NOT NULL AND edges IS NOT NULL
         THEN len(list_filter(edges, lambda edge: edge <= x)) END""",
    """CREATE MACRO bq_pow(a, b) AS CASE
         WHEN a < 0 AND b <> trunc(b) AND isfinite(b::DOUBLE)
           THEN error('Floating point error in function: POW(' || a || ', ' || b || ')')
         ELSE pow(a, b) END""",
    """CREATE MACRO bq_json_value(j, path) AS
         CASE WHEN json_type(j, path) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL
         ELSE json_extract_string(j, path) END""",
)

# The macros that raise an error of their own.
RAISING: frozenset[str] = frozenset(
    text.split("(", 1)[0].split()[-1] for text in MACROS if "error(" in text
)
