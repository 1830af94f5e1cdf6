-- Step 2: what is evidence stays as it was written, whoever writes SQL.
--
-- D16: "Rows that concern money are never deleted"; D11: the audit is append-only.

--sqlite CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are not changed'); END;
--sqlite CREATE TRIGGER event_remains BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are not deleted'); END;
--sqlite CREATE TRIGGER spend_remains BEFORE DELETE ON spend BEGIN SELECT RAISE(ABORT, 'spends are not deleted'); END;
--sqlite CREATE TRIGGER reservation_remains BEFORE DELETE ON reservation BEGIN SELECT RAISE(ABORT, 'reservations are not deleted'); END;
--sqlite CREATE TRIGGER attempt_remains BEFORE DELETE ON attempt BEGIN SELECT RAISE(ABORT, 'attempts are not deleted'); END;
--sqlite CREATE TRIGGER sign_request_remains BEFORE DELETE ON sign_request BEGIN SELECT RAISE(ABORT, 'sign requests are not deleted'); END;
--sqlite CREATE TRIGGER foreign_outflow_remains BEFORE DELETE ON foreign_outflow BEGIN SELECT RAISE(ABORT, 'outflows are not deleted'); END;

--postgres CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
--postgres   'BEGIN RAISE EXCEPTION ''rows of % are not % here'', TG_TABLE_NAME, lower(TG_OP) || ''d'' USING ERRCODE = ''23001''; END';
--postgres CREATE TRIGGER event_stays BEFORE UPDATE OR DELETE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--postgres CREATE TRIGGER spend_remains BEFORE DELETE ON spend FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--postgres CREATE TRIGGER reservation_remains BEFORE DELETE ON reservation FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--postgres CREATE TRIGGER attempt_remains BEFORE DELETE ON attempt FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--postgres CREATE TRIGGER sign_request_remains BEFORE DELETE ON sign_request FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--postgres CREATE TRIGGER foreign_outflow_remains BEFORE DELETE ON foreign_outflow FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
