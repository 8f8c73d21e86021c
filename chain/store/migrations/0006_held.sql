-- What does not join, of any run and between runs.

-- Serves: the held list in its order, page by page (cluster held); takes the place of link_held, which knew only now.
create index link_apart on link (dataset_id, tx_id, rule, u, v) where status <> 1;
-- Serves: what was held or refused between two runs (cluster history, cluster diff).
create index link_apart_since on link (dataset_id, from_run) where status <> 1;
drop index link_held;
