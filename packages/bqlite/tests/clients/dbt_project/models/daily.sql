{{ config(materialized='incremental', unique_key='paid_on') }}
select paid_on, sum(amount) as amount
from {{ ref('payments') }}
{% if is_incremental() %}
where paid_on >= (select max(paid_on) from {{ this }})
{% endif %}
group by paid_on
