-- The 15 features of the handbook's Chapter 3, out of raw rows, in one pass.
--
-- A window of w days ends with the transaction itself and begins w days before it, exclusive:
-- (t - w, t]. Rows of one card or terminal in one second follow each other as they were made,
-- so `moment` orders them and is what the windows measure by: milliseconds. (A second with two
-- such rows that lies exactly w days back would be cut in two; the data has none.)
-- Frauds at a terminal are known seven days late, so its windows end seven days ago: each is
-- the window over delay and w days less the window over the delay.
CREATE OR REPLACE TABLE fraud_detection_train
PARTITION BY DATE(TX_DATETIME) CLUSTER BY TX_DATETIME AS
WITH timed AS (
  SELECT
    *,
    UNIX_SECONDS(TX_DATETIME) * 1000
      + ROW_NUMBER() OVER (PARTITION BY CUSTOMER_ID, TX_DATETIME ORDER BY TRANSACTION_ID) AS customer_moment,
    UNIX_SECONDS(TX_DATETIME) * 1000
      + ROW_NUMBER() OVER (PARTITION BY TERMINAL_ID, TX_DATETIME ORDER BY TRANSACTION_ID) AS terminal_moment
  FROM handbook_raw
),
counted AS (
  SELECT
    *,
    COUNT(*) OVER customer_1 AS CUSTOMER_ID_NB_TX_1DAY,
    AVG(TX_AMOUNT) OVER customer_1 AS CUSTOMER_ID_AVG_AMOUNT_1DAY,
    COUNT(*) OVER customer_7 AS CUSTOMER_ID_NB_TX_7DAY,
    AVG(TX_AMOUNT) OVER customer_7 AS CUSTOMER_ID_AVG_AMOUNT_7DAY,
    COUNT(*) OVER customer_30 AS CUSTOMER_ID_NB_TX_30DAY,
    AVG(TX_AMOUNT) OVER customer_30 AS CUSTOMER_ID_AVG_AMOUNT_30DAY,
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
    customer AS (PARTITION BY CUSTOMER_ID ORDER BY customer_moment),
    customer_1 AS (customer RANGE BETWEEN 86399999 PRECEDING AND CURRENT ROW),
    customer_7 AS (customer RANGE BETWEEN 604799999 PRECEDING AND CURRENT ROW),
    customer_30 AS (customer RANGE BETWEEN 2591999999 PRECEDING AND CURRENT ROW),
    terminal AS (PARTITION BY TERMINAL_ID ORDER BY terminal_moment),
    delay AS (terminal RANGE BETWEEN 604799999 PRECEDING AND CURRENT ROW),
    terminal_1 AS (terminal RANGE BETWEEN 691199999 PRECEDING AND CURRENT ROW),
    terminal_7 AS (terminal RANGE BETWEEN 1209599999 PRECEDING AND CURRENT ROW),
    terminal_30 AS (terminal RANGE BETWEEN 3196799999 PRECEDING AND CURRENT ROW)
)
SELECT
  TRANSACTION_ID AS TX_ID,
  TX_DATETIME,
  CUSTOMER_ID,
  TERMINAL_ID,
  TX_AMOUNT,
  EXTRACT(DAYOFWEEK FROM TX_DATETIME) IN (1, 7) AS TX_DURING_WEEKEND,
  EXTRACT(HOUR FROM TX_DATETIME) <= 6 AS TX_DURING_NIGHT,
  CUSTOMER_ID_NB_TX_1DAY,
  CUSTOMER_ID_AVG_AMOUNT_1DAY,
  CUSTOMER_ID_NB_TX_7DAY,
  CUSTOMER_ID_AVG_AMOUNT_7DAY,
  CUSTOMER_ID_NB_TX_30DAY,
  CUSTOMER_ID_AVG_AMOUNT_30DAY,
  n_1 - n_delay AS TERMINAL_ID_NB_TX_1DAY,
  IFNULL(SAFE_DIVIDE(frauds_1 - frauds_delay, n_1 - n_delay), 0) AS TERMINAL_ID_RISK_1DAY,
  n_7 - n_delay AS TERMINAL_ID_NB_TX_7DAY,
  IFNULL(SAFE_DIVIDE(frauds_7 - frauds_delay, n_7 - n_delay), 0) AS TERMINAL_ID_RISK_7DAY,
  n_30 - n_delay AS TERMINAL_ID_NB_TX_30DAY,
  IFNULL(SAFE_DIVIDE(frauds_30 - frauds_delay, n_30 - n_delay), 0) AS TERMINAL_ID_RISK_30DAY,
  TX_FRAUD = 1 AS TX_FRAUD
FROM counted
