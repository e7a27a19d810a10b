-- What does a PostgreSQL do with limits? Every call is one function, one transaction, one atomic step; the clock is the
-- server's. The same rules as in `limits.lua`; run at each start of a gateway, which changes nothing where all is there.
--
-- Levels of rates survive a crash but for its last moments. Whatever is about credit and about requests under way lies
-- in tables that a crash empties, the epoch included: a server that lost the newest of it is known by that.
-- An organization's calls come one after the other. Times are microseconds since the epoch; arrays go by the row. Types
-- of rows: 0 requests in a window, 1 requests at once, 2 credit, 3 what is known at a request's end alone, such as tokens.
CREATE SCHEMA IF NOT EXISTS mizzen_limits;
SET LOCAL search_path TO mizzen_limits;

CREATE TABLE IF NOT EXISTS rate (
  key text PRIMARY KEY, level float8 NOT NULL, at float8 NOT NULL, empty_at float8 NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
-- What requests under way may still use; it belongs to reservations of that epoch, and is nobody's in another.
ALTER TABLE rate ADD COLUMN IF NOT EXISTS held float8 NOT NULL DEFAULT 0;
ALTER TABLE rate ADD COLUMN IF NOT EXISTS epoch text NOT NULL DEFAULT '';
CREATE UNLOGGED TABLE IF NOT EXISTS memory (organization text PRIMARY KEY, epoch text NOT NULL);
CREATE UNLOGGED TABLE IF NOT EXISTS running (
  key text, id text, ends float8 NOT NULL, PRIMARY KEY (key, id)
);
CREATE UNLOGGED TABLE IF NOT EXISTS budget (
  key text PRIMARY KEY, credit bigint NOT NULL, on_the_way bigint NOT NULL, reserved bigint NOT NULL,
  usable_until float8 NOT NULL, charged bigint NOT NULL, sequence bigint NOT NULL, period text NOT NULL,
  early bigint NOT NULL DEFAULT 0, early_until float8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
DO $$ BEGIN
  -- Asked first: the alteration locks the table even where there is nothing to do.
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'mizzen_limits.budget'::regclass AND attname = 'early_until') THEN
    ALTER TABLE budget ADD COLUMN early_until float8 NOT NULL DEFAULT 0;
  END IF;
END $$;
CREATE UNLOGGED TABLE IF NOT EXISTS reservation (
  id text PRIMARY KEY, organization text NOT NULL, ends float8 NOT NULL, live boolean NOT NULL, keys text[] NOT NULL,
  types smallint[] NOT NULL, amounts float8[] NOT NULL, windows float8[] NOT NULL, taken float8[] NOT NULL,
  used float8[] NOT NULL, periods text[] NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS reservation_ends ON reservation (organization, ends);

CREATE OR REPLACE FUNCTION micros() RETURNS float8 LANGUAGE sql VOLATILE AS
$$ SELECT extract(epoch FROM clock_timestamp())::float8 * 1000000 $$;

-- Functions that callers call set the search path, for those that they call in turn.
--
-- The organization is this transaction's own from here on; its epoch.
CREATE OR REPLACE FUNCTION enter(org text, fresh text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE current text;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM pg_advisory_xact_lock(hashtextextended(org, 5127));
  SELECT epoch INTO current FROM memory WHERE organization = org;
  IF current IS NULL THEN
    current := fresh;
    INSERT INTO memory VALUES (org, fresh);
  END IF;
  RETURN current;
END $$;

CREATE OR REPLACE FUNCTION add_level(k text, most float8, width float8, units float8, now float8)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE was rate; found_level float8 := 0;
BEGIN
  IF units = 0 THEN RETURN; END IF;
  SELECT * INTO was FROM rate WHERE key = k;
  IF FOUND THEN found_level := greatest(0, was.level - greatest(0, now - was.at) * most / width); END IF;
  found_level := greatest(0, found_level + units);
  INSERT INTO rate VALUES (k, found_level, now, now + found_level * width / most)
  ON CONFLICT (key) DO UPDATE SET level = EXCLUDED.level, at = EXCLUDED.at, empty_at = EXCLUDED.empty_at;
END $$;

CREATE OR REPLACE FUNCTION add_spent(
  k text, most float8, width float8, used float8, more float8, now float8, hold float8, of_epoch text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE was rate; found_level float8 := 0; found_held float8 := 0;
BEGIN
  SELECT * INTO was FROM rate WHERE key = k;
  IF FOUND THEN
    found_level := greatest(0, was.level - greatest(0, now - was.at) * most / width);
    IF was.epoch = of_epoch THEN found_held := was.held; END IF;
  END IF;
  found_level := greatest(0, found_level + used);
  found_held := greatest(0, found_held + more);
  INSERT INTO rate VALUES (k, found_level, now, greatest(now + found_level * width / most, now + 2 * hold), found_held, of_epoch)
  ON CONFLICT (key) DO UPDATE SET level = EXCLUDED.level, at = EXCLUDED.at, held = EXCLUDED.held, epoch = EXCLUDED.epoch,
    empty_at = EXCLUDED.empty_at;
END $$;

-- Take out of every count what was held, and put in what is used; `live` is false where it had expired before. What the
-- ledger charged before its request had ended here (`early`) is not on its way any more, when that end is `told`.
DROP FUNCTION IF EXISTS release(reservation, float8[], float8, boolean);
CREATE OR REPLACE FUNCTION release(r reservation, spent float8[], now float8, told boolean, of_epoch text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE counted float8[] := CASE WHEN r.live THEN r.taken ELSE r.used END; use bigint;
BEGIN
  FOR i IN 1 .. cardinality(r.keys) LOOP
    IF r.types[i] = 0 THEN
      CONTINUE WHEN NOT told OR spent[i] = r.taken[i];
      PERFORM add_level(r.keys[i], r.amounts[i], r.windows[i], spent[i] - r.taken[i], now);
    ELSIF r.types[i] = 3 THEN
      PERFORM add_spent(
        r.keys[i], r.amounts[i], r.windows[i], spent[i] - r.used[i],
        CASE WHEN r.live THEN -greatest(0, r.taken[i] - r.used[i]) ELSE 0 END, now, 60000000, of_epoch);
    ELSIF r.types[i] = 1 THEN
      DELETE FROM running WHERE key = r.keys[i] AND id = r.id;
    ELSIF r.taken[i] <> 0 OR spent[i] <> 0 OR counted[i] <> 0 THEN
      use := spent[i]::bigint - CASE WHEN r.live THEN 0 ELSE counted[i]::bigint END;
      UPDATE budget SET
        reserved = CASE WHEN r.live THEN greatest(0, reserved - r.taken[i]::bigint) ELSE reserved END,
        on_the_way = on_the_way + use - CASE WHEN told THEN greatest(0, least(early, use)) ELSE 0 END,
        early = early - CASE WHEN told THEN greatest(0, least(early, use)) ELSE 0 END
      WHERE key = r.keys[i] AND (r.periods[i] = '' OR period = r.periods[i]);
    END IF;
  END LOOP;
END $$;

DROP FUNCTION IF EXISTS sweep(text, float8);
CREATE OR REPLACE FUNCTION sweep(org text, now float8, of_epoch text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE r reservation;
BEGIN
  FOR r IN SELECT * FROM reservation WHERE organization = org AND ends <= now ORDER BY ends LIMIT 20 LOOP
    IF r.live THEN
      PERFORM release(r, r.used, now, false, of_epoch);
      UPDATE reservation SET live = false, ends = now + 600000000 WHERE id = r.id;
    ELSE
      DELETE FROM reservation WHERE id = r.id;
    END IF;
  END LOOP;
END $$;

-- status: 0 taken, 1 over, 2 lacking credit, 3 another epoch. Levels are those before.
CREATE OR REPLACE FUNCTION take(
  org text, known text, fresh text, reservation_id text, hold float8, keys text[], types smallint[], strict boolean[],
  amounts float8[], windows float8[], units float8[],
  OUT status int, OUT place int, OUT shadowed int[], OUT levels float8[], OUT epoch text
) LANGUAGE plpgsql SET search_path TO mizzen_limits AS $$
#variable_conflict use_variable
DECLARE now float8; over boolean; b budget; periods text[]; held float8[];
BEGIN
  epoch := enter(org, fresh);
  status := 3; place := 0; shadowed := '{}';
  IF epoch <> known THEN RETURN; END IF;
  status := 0;
  now := micros();
  IF EXISTS (SELECT FROM reservation r WHERE r.organization = org AND r.ends <= now) THEN PERFORM sweep(org, now, epoch); END IF;
  SELECT
      array_agg(coalesce(greatest(0, r.level - greatest(0, now - r.at) * amounts[k.i] / windows[k.i]), 0) ORDER BY k.i),
      array_agg(CASE WHEN r.epoch = epoch THEN r.held ELSE 0 END ORDER BY k.i)
    INTO levels, held FROM unnest(keys) WITH ORDINALITY AS k(key, i) LEFT JOIN rate r ON r.key = k.key;
  periods := array_fill(''::text, ARRAY[cardinality(keys)]);
  FOR i IN 1 .. cardinality(keys) LOOP
    IF types[i] IN (0, 3) THEN
      over := levels[i] + held[i] + units[i] > amounts[i];
    ELSIF types[i] = 1 THEN
      DELETE FROM running r WHERE r.key = keys[i] AND r.ends <= now;
      levels[i] := (SELECT count(*) FROM running r WHERE r.key = keys[i]);
      over := levels[i] + 1 > amounts[i];
    ELSE
      SELECT * INTO b FROM budget WHERE budget.key = keys[i];
      levels[i] := CASE WHEN FOUND AND now < b.usable_until THEN b.credit - b.on_the_way - b.reserved ELSE 0 END;
      periods[i] := coalesce(b.period, '');
      over := units[i] > 0 AND levels[i] < units[i] AND strict[i];
    END IF;
    IF over AND NOT strict[i] THEN
      shadowed := shadowed || (i - 1);
    ELSIF over AND status = 0 THEN
      status := CASE WHEN types[i] = 2 THEN 2 ELSE 1 END;
      place := i - 1;
    END IF;
  END LOOP;
  IF status = 0 THEN
    INSERT INTO rate
      SELECT
        keys[i], levels[i] + t.units, now, greatest(now + (levels[i] + t.units) * windows[i] / amounts[i], now + t.kept),
        held[i] + units[i] - t.units, epoch
      FROM generate_subscripts(keys, 1) AS i, LATERAL (
        SELECT CASE types[i] WHEN 0 THEN units[i] ELSE 0 END AS units, CASE types[i] WHEN 0 THEN 0 ELSE 2 * hold END AS kept
      ) AS t WHERE types[i] IN (0, 3) AND units[i] <> 0
      ON CONFLICT (key) DO UPDATE SET level = EXCLUDED.level, at = EXCLUDED.at, held = EXCLUDED.held,
        epoch = EXCLUDED.epoch, empty_at = EXCLUDED.empty_at;
  END IF;
  FOR i IN 1 .. cardinality(keys) LOOP
    IF types[i] = 3 THEN levels[i] := levels[i] + held[i]; END IF;
  END LOOP;
  IF status <> 0 THEN RETURN; END IF;
  FOR i IN 1 .. cardinality(keys) LOOP
    IF types[i] = 1 THEN
      INSERT INTO running VALUES (keys[i], reservation_id, now + hold);
    ELSIF types[i] = 2 AND units[i] > 0 THEN
      INSERT INTO budget VALUES (keys[i], 0, 0, units[i]::bigint, 0, 0, 0, '')
      ON CONFLICT (key) DO UPDATE SET reserved = budget.reserved + EXCLUDED.reserved;
    END IF;
  END LOOP;
  IF reservation_id <> '' THEN
    INSERT INTO reservation VALUES (
      reservation_id, org, now + hold, true, keys, types, amounts, windows, units,
      array_fill(0::float8, ARRAY[cardinality(keys)]), periods);
  END IF;
END $$;

-- What is not known any more was settled by its end.
CREATE OR REPLACE FUNCTION settle(
  org text, known text, fresh text, reservation_id text, keys text[], types smallint[], amounts float8[], windows float8[],
  taken float8[], spent float8[]
) RETURNS void LANGUAGE plpgsql SET search_path TO mizzen_limits AS $$
#variable_conflict use_variable
DECLARE now float8; r reservation; current text := enter(org, fresh);
BEGIN
  now := micros();
  IF reservation_id = '' THEN
    FOR i IN 1 .. cardinality(keys) LOOP
      PERFORM add_level(keys[i], amounts[i], windows[i], spent[i] - taken[i], now);
    END LOOP;
  ELSIF current = known THEN
    DELETE FROM reservation WHERE reservation.id = reservation_id RETURNING * INTO r;
    IF FOUND THEN PERFORM release(r, spent, now, true, current); END IF;
  END IF;
END $$;

-- One that is not known is taken up as it is. The epoch that is in force.
CREATE OR REPLACE FUNCTION renew(
  org text, known text, fresh text, reservation_id text, hold float8, keys text[], types smallint[], amounts float8[],
  windows float8[], taken float8[], spent float8[]
) RETURNS text LANGUAGE plpgsql SET search_path TO mizzen_limits AS $$
#variable_conflict use_variable
DECLARE now float8; r reservation; held boolean; was float8; periods text[]; current text := enter(org, fresh);
BEGIN
  IF current <> known THEN RETURN current; END IF;
  now := micros();
  SELECT * INTO r FROM reservation WHERE reservation.id = reservation_id;
  held := FOUND;
  periods := CASE WHEN held THEN r.periods ELSE array_fill(''::text, ARRAY[cardinality(keys)]) END;
  FOR i IN 1 .. cardinality(keys) LOOP
    was := CASE WHEN held AND NOT r.live THEN r.used[i] ELSE 0 END;
    IF types[i] = 3 THEN
      PERFORM add_spent(
        keys[i], amounts[i], windows[i], spent[i] - CASE WHEN held THEN r.used[i] ELSE 0 END,
        greatest(0, taken[i] - spent[i]) - CASE WHEN held AND r.live THEN greatest(0, taken[i] - r.used[i]) ELSE 0 END,
        now, hold, current);
      CONTINUE;
    END IF;
    IF types[i] = 1 THEN
      INSERT INTO running VALUES (keys[i], reservation_id, now + hold)
      ON CONFLICT (key, id) DO UPDATE SET ends = EXCLUDED.ends;
    ELSIF held AND r.live THEN
      CONTINUE;
    ELSIF types[i] = 0 THEN
      CONTINUE WHEN held;
      PERFORM add_level(keys[i], amounts[i], windows[i], taken[i], now);
    ELSIF taken[i] > 0 THEN
      INSERT INTO budget VALUES (keys[i], 0, 0, taken[i]::bigint, 0, 0, 0, '')
      ON CONFLICT (key) DO UPDATE SET reserved = budget.reserved + EXCLUDED.reserved,
        on_the_way = budget.on_the_way - CASE WHEN periods[i] = budget.period THEN was::bigint ELSE 0 END;
      periods[i] := (SELECT budget.period FROM budget WHERE budget.key = keys[i]);
    END IF;
  END LOOP;
  INSERT INTO reservation VALUES (
    reservation_id, org, now + hold, true, keys, types, amounts, windows, taken, spent, periods)
  ON CONFLICT (id) DO UPDATE SET ends = EXCLUDED.ends, live = true, used = EXCLUDED.used, periods = EXCLUDED.periods;
  RETURN current;
END $$;

-- Sequence and charged are 0 where nobody knows the budget.
CREATE OR REPLACE FUNCTION look(
  org text, known text, fresh text, k text, OUT current text, OUT credit bigint, OUT on_the_way bigint,
  OUT reserved bigint, OUT usable_seconds float8, OUT charged bigint, OUT sequence bigint, OUT period text
) LANGUAGE plpgsql SET search_path TO mizzen_limits AS $$
#variable_conflict use_variable
DECLARE now float8; b budget;
BEGIN
  current := enter(org, fresh);
  IF current <> known THEN RETURN; END IF;
  now := micros();
  PERFORM sweep(org, now, current);
  SELECT * INTO b FROM budget WHERE budget.key = k;
  credit := coalesce(b.credit, 0); on_the_way := coalesce(b.on_the_way, 0); reserved := coalesce(b.reserved, 0);
  usable_seconds := greatest(0, (coalesce(b.usable_until, 0) - now) / 1000000);
  charged := coalesce(b.charged, 0); sequence := coalesce(b.sequence, 0); period := coalesce(b.period, '');
END $$;

-- The epoch in force; empty where another answer came first. What was charged early is kept from answer to answer, for
-- ten seconds: an end that is not told by then was lost with its gateway, and must not make credit of another's use.
CREATE OR REPLACE FUNCTION put_credit(
  org text, known text, fresh text, k text, seen bigint, number bigint, lent bigint, since bigint, charged_in_all bigint,
  usable float8, of_period text
) RETURNS text LANGUAGE plpgsql SET search_path TO mizzen_limits AS $$
DECLARE now float8; b budget; ahead bigint; current text := enter(org, fresh);
BEGIN
  IF current <> known THEN RETURN current; END IF;
  now := micros();
  INSERT INTO budget VALUES (k, 0, 0, 0, 0, 0, 0, '') ON CONFLICT (key) DO NOTHING;
  SELECT * INTO b FROM budget WHERE key = k AND sequence = seen FOR UPDATE;
  IF NOT FOUND THEN RETURN ''; END IF;
  IF b.period NOT IN ('', of_period) THEN
    b.on_the_way := 0; b.reserved := 0; b.early := 0; since := 0;
  ELSIF b.early_until <= now THEN
    b.early := 0;
  END IF;
  ahead := since + b.early - b.on_the_way;
  UPDATE budget SET
    on_the_way = greatest(0, -ahead), reserved = b.reserved, early = least(b.reserved, greatest(0, ahead)),
    early_until = CASE WHEN b.early > 0 THEN b.early_until ELSE now + 10000000 END,
    credit = lent, usable_until = now + usable, charged = charged_in_all, sequence = number, period = of_period
  WHERE key = k;
  RETURN current;
END $$;

-- Forget what has drained.
CREATE OR REPLACE FUNCTION tidy() RETURNS void LANGUAGE sql SET search_path TO mizzen_limits AS $$
  DELETE FROM rate WHERE empty_at < micros() - 60000000;
  DELETE FROM running WHERE ends < micros() - 60000000;
$$;
