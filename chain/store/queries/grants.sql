-- What the service's role may do. Run after each migration; {role} is the role's quoted name.

-- name: public
-- Nothing is anybody's by default.
revoke all on all tables in schema public from public;
revoke execute on function open_case(uuid, text, text, text, text, text) from public;
revoke create on schema public from public

-- name: service
grant usage on schema public to {role};
grant select on all tables in schema public to {role};
grant insert, update on job to {role};
grant usage on all sequences in schema public to {role};
grant insert on company, company_name, company_identifier, company_fact, company_import, flag, flag_status to {role};
grant update (jurisdiction) on company to {role};
grant insert on case_candidate, exhibit, case_entry, claim, company_link, company_link_version, company_decision,
                link_shown to {role};
grant update (basis) on case_file to {role};
grant update (withdrawn_at, withdrawn_reason) on claim to {role};
grant update (version, at) on link_shown to {role};
grant execute on function open_case(uuid, text, text, text, text, text) to {role};
grant insert on audit_entry, audit_text, audit_batch, posted to {role};
revoke update, delete, truncate on audit_entry, audit_text, audit_batch from {role}
