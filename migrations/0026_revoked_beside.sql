-- A license that is taken away for good counts among the units of its line that are refunded after it, and never among those that were over before: these
-- are others. So each such slot knows how many that were.
alter table slots add column revoked_beside integer not null default 0 constraint slots_revoked_beside check (revoked_beside >= 0 and (is_revoked or revoked_beside = 0));

update slots s set revoked_beside = l.ended_units
from line_items l
where s.is_revoked and l.account_id = s.account_id and l.id = s.line_item_id and l.ended_units between 1 and l.quantity - 1
  and (select count(*) from slots c where c.account_id = s.account_id and c.line_item_id = s.line_item_id and c.cancelled_at is not null)
    > greatest(l.ended_units, (select count(*) from slots c where c.account_id = s.account_id and c.line_item_id = s.line_item_id and c.is_revoked));
