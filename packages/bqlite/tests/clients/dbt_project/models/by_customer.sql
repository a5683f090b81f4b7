select customer, count(*) as payments, sum(amount) as amount
from {{ ref('payments') }}
group by customer
