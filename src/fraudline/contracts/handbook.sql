-- The 15 features of the handbook's Chapter 3, out of raw rows, in one pass.
--
-- A window of w days ends with the transaction itself and begins w days before it, exclusive:
-- (t - w, t]. Rows of one card at one time follow each other by their number, so a window over
-- times, which ends with all of those, holds the ones that follow too: they are taken off again.
-- Frauds at a terminal are known seven days late, so its windows end seven days ago: each is
-- the window over delay and w days less the window over the delay, which take the rows that
-- follow off by themselves. Amounts are added as cents, so that a sum is the same in any order.
CREATE OR REPLACE TABLE fraud_detection_train
PARTITION BY DATE(TX_DATETIME) CLUSTER BY TX_DATETIME AS
WITH timed AS (
  SELECT
    *,
    UNIX_MICROS(TX_DATETIME) AS moment,
    CAST(ROUND(TX_AMOUNT * 100) AS INT64) AS cents
  FROM handbook_raw
),
counted AS (
  SELECT
    *,
    COUNT(*) OVER following AS n_following,
    IFNULL(SUM(cents) OVER following, 0) AS cents_following,
    COUNT(*) OVER customer_1 AS customer_n_1,
    SUM(cents) OVER customer_1 AS customer_cents_1,
    COUNT(*) OVER customer_7 AS customer_n_7,
    SUM(cents) OVER customer_7 AS customer_cents_7,
    COUNT(*) OVER customer_30 AS customer_n_30,
    SUM(cents) OVER customer_30 AS customer_cents_30,
    COUNT(*) OVER delay AS n_delay,
    SUM(TX_FRAUD) OVER delay AS frauds_delay,
    COUNT(*) OVER terminal_1 AS n_1,
    SUM(TX_FRAUD) OVER terminal_1 AS frauds_1,
    COUNT(*) OVER terminal_7 AS n_7,
    SUM(TX_FRAUD) OVER terminal_7 AS frauds_7,
    COUNT(*) OVER terminal_30 AS n_30,
    SUM(TX_FRAUD) OVER terminal_30 AS frauds_30
  FROM timed
  WINDOW
    following AS (
      PARTITION BY CUSTOMER_ID, moment ORDER BY TRANSACTION_ID
      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ),
    customer AS (PARTITION BY CUSTOMER_ID ORDER BY moment),
    customer_1 AS (customer RANGE BETWEEN 86399999999 PRECEDING AND CURRENT ROW),
    customer_7 AS (customer RANGE BETWEEN 604799999999 PRECEDING AND CURRENT ROW),
    customer_30 AS (customer RANGE BETWEEN 2591999999999 PRECEDING AND CURRENT ROW),
    terminal AS (PARTITION BY TERMINAL_ID ORDER BY moment),
    delay AS (terminal RANGE BETWEEN 604799999999 PRECEDING AND CURRENT ROW),
    terminal_1 AS (terminal RANGE BETWEEN 691199999999 PRECEDING AND CURRENT ROW),
    terminal_7 AS (terminal RANGE BETWEEN 1209599999999 PRECEDING AND CURRENT ROW),
    terminal_30 AS (terminal RANGE BETWEEN 3196799999999 PRECEDING AND CURRENT ROW)
)
SELECT
  TRANSACTION_ID AS TX_ID,
  TX_DATETIME,
  CUSTOMER_ID,
  TERMINAL_ID,
  TX_AMOUNT,
  EXTRACT(DAYOFWEEK FROM TX_DATETIME) IN (1, 7) AS TX_DURING_WEEKEND,
  EXTRACT(HOUR FROM TX_DATETIME) <= 6 AS TX_DURING_NIGHT,
  customer_n_1 - n_following AS CUSTOMER_ID_NB_TX_1DAY,
  (customer_cents_1 - cents_following) / (100 * (customer_n_1 - n_following))
    AS CUSTOMER_ID_AVG_AMOUNT_1DAY,
  customer_n_7 - n_following AS CUSTOMER_ID_NB_TX_7DAY,
  (customer_cents_7 - cents_following) / (100 * (customer_n_7 - n_following))
    AS CUSTOMER_ID_AVG_AMOUNT_7DAY,
  customer_n_30 - n_following AS CUSTOMER_ID_NB_TX_30DAY,
  (customer_cents_30 - cents_following) / (100 * (customer_n_30 - n_following))
    AS CUSTOMER_ID_AVG_AMOUNT_30DAY,
  n_1 - n_delay AS TERMINAL_ID_NB_TX_1DAY,
  IFNULL(SAFE_DIVIDE(frauds_1 - frauds_delay, n_1 - n_delay), 0) AS TERMINAL_ID_RISK_1DAY,
  n_7 - n_delay AS TERMINAL_ID_NB_TX_7DAY,
  IFNULL(SAFE_DIVIDE(frauds_7 - frauds_delay, n_7 - n_delay), 0) AS TERMINAL_ID_RISK_7DAY,
  n_30 - n_delay AS TERMINAL_ID_NB_TX_30DAY,
  IFNULL(SAFE_DIVIDE(frauds_30 - frauds_delay, n_30 - n_delay), 0) AS TERMINAL_ID_RISK_30DAY,
  TX_FRAUD = 1 AS TX_FRAUD
FROM counted
