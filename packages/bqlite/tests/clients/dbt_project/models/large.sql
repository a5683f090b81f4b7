{{ config(materialized='view') }}
select * from {{ ref('payments') }} where amount >= 10
