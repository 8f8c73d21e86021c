-- What the signatures of a transaction commit to (chain.model.Signing), read from its bytes when it is loaded.
-- 0, unstated: its source has no signatures, or it was loaded before this column was there.
alter table tx add column signing smallint not null default 0;
