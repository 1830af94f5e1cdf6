-- Step 1: all tables of the ledger. Source: coordinator.md D16.
--
-- One text for both stores (tools/embed-schema): written for PostgreSQL; for SQLite `bigint` and `bytea`
-- become INTEGER and BLOB, and `);` at the start of a line ends a STRICT table. What is for one store only
-- begins with `--sqlite ` or `--postgres `; $now is that store's clock. A statement ends with `;` at the end
-- of a line.
--
-- Types: ids are UUIDv7 text; *_at, *_until and not_* are microseconds since 1970 UTC by the clock of the
-- database; amounts are satoshi, never negative; hashes and txids are 32 bytes, txids in the order in which
-- they are hashed. Lists and documents are JSON text. NULL: not yet known.

-- --- Wallets and the guard of each one's cap ---

CREATE TABLE wallet (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    name text NOT NULL UNIQUE,
    network text NOT NULL,
    k bigint NOT NULL,
    n bigint NOT NULL,
    kind text NOT NULL,
    desc_receive text NOT NULL,
    desc_change text NOT NULL,
    desc_hash bytea NOT NULL CHECK (length(desc_hash) = 32),
    status text NOT NULL CONSTRAINT wallet_status CHECK (status IN ('active', 'frozen', 'recovering')),
    recovering_until bigint, -- nothing is admitted before; also kept while frozen
    settle_depth bigint NOT NULL CHECK (settle_depth >= 1),
    next_change bigint NOT NULL DEFAULT 0 CHECK (next_change >= 0), -- the first index never given out
    settings text NOT NULL DEFAULT '{}', -- JSON: fee and coin rules, max_bumps, ...
    CONSTRAINT wallet_threshold CHECK (k >= 1 AND k <= n AND n <= 15)
);

-- One row per wallet; whoever admits a spend holds its lock (D2).
CREATE TABLE velocity_guard (
    wallet_id text PRIMARY KEY REFERENCES wallet(id),
    created_at bigint NOT NULL DEFAULT ($now),
    version bigint NOT NULL DEFAULT 0,
    reserved_open bigint NOT NULL DEFAULT 0 CONSTRAINT guard_open CHECK (reserved_open >= 0),
    window_s bigint NOT NULL CHECK (window_s > 0),
    cap_auto bigint NOT NULL CHECK (cap_auto >= 0),
    cap_surge bigint NOT NULL CHECK (cap_surge >= 0),
    fee_cap bigint NOT NULL CHECK (fee_cap >= 0),
    reconciled_at bigint
);

-- --- Signers ---

CREATE TABLE signer (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    name text NOT NULL UNIQUE,
    number bigint NOT NULL UNIQUE CHECK (number >= 1),
    kind text NOT NULL,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 4),
    device_pin text,
    failure_domain text NOT NULL DEFAULT '',
    limits text NOT NULL DEFAULT '{}', -- JSON
    enabled bigint NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    state text NOT NULL DEFAULT 'new' CONSTRAINT signer_state CHECK (state IN
        ('new', 'reachable', 'registered', 'enrolled', 'loaded', 'active', 'verified', 'drift', 'draining', 'out')),
    cool_until bigint,
    heal_at bigint, -- the last try to heal it
    heal_tries bigint NOT NULL DEFAULT 0
);

CREATE TABLE wallet_signer (
    wallet_id text NOT NULL REFERENCES wallet(id),
    signer_id text NOT NULL REFERENCES signer(id),
    created_at bigint NOT NULL DEFAULT ($now),
    position bigint NOT NULL CHECK (position >= 0),
    xpub text NOT NULL,
    keypath text NOT NULL DEFAULT '',
    registered_name text NOT NULL,
    PRIMARY KEY (wallet_id, signer_id),
    UNIQUE (wallet_id, position)
);

CREATE TABLE signer_status (
    signer_id text PRIMARY KEY REFERENCES signer(id),
    created_at bigint NOT NULL DEFAULT ($now),
    seen_at bigint NOT NULL,
    active bigint NOT NULL CHECK (active IN (0, 1)),
    policy_hash bytea CHECK (length(policy_hash) = 32),
    approvals bigint NOT NULL DEFAULT 0,
    refusals bigint NOT NULL DEFAULT 0,
    last_tag text,
    spent text NOT NULL DEFAULT '[]', -- JSON: satoshi per rule, null where the device does not tell
    window_end bigint,
    boot_id text,
    detail text NOT NULL DEFAULT '{}' -- JSON: the rest of the last status
);

-- D4: one conversation per device at a time, across replicas.
CREATE TABLE signer_lease (
    signer_id text PRIMARY KEY REFERENCES signer(id),
    created_at bigint NOT NULL DEFAULT ($now),
    holder text NOT NULL,
    until bigint NOT NULL,
    fence bigint NOT NULL CHECK (fence >= 1)
);

CREATE TABLE policy_version (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text NOT NULL REFERENCES wallet(id),
    signer_id text REFERENCES signer(id), -- NULL: for every signer of the wallet
    number bigint NOT NULL CHECK (number >= 1),
    body bytea NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    state text NOT NULL CONSTRAINT policy_version_state CHECK (state IN
        ('draft', 'approved', 'published', 'replaced', 'rolled_back', 'rejected')),
    published_at bigint
);
CREATE UNIQUE INDEX policy_version_number ON policy_version(wallet_id, coalesce(signer_id, ''), number);

CREATE TABLE policy_install (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    signer_id text NOT NULL REFERENCES signer(id),
    policy_version_id text NOT NULL REFERENCES policy_version(id),
    step text NOT NULL,
    result text NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX policy_install_signer ON policy_install(signer_id, at);

-- --- People ---

CREATE TABLE principal (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    kind text NOT NULL,
    subject text NOT NULL UNIQUE,
    display text NOT NULL DEFAULT '',
    disabled bigint NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
);

CREATE TABLE role_grant (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    principal_id text NOT NULL REFERENCES principal(id),
    wallet_id text NOT NULL REFERENCES wallet(id),
    role text NOT NULL CONSTRAINT role_grant_role CHECK (role IN
        ('viewer', 'spender', 'approver', 'operator', 'policy-admin', 'officer', 'auditor')),
    limits text NOT NULL DEFAULT '{}', -- JSON
    UNIQUE (principal_id, wallet_id, role)
);

CREATE TABLE api_token (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    principal_id text NOT NULL REFERENCES principal(id),
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes text NOT NULL DEFAULT '[]', -- JSON
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint
);

CREATE TABLE login_challenge (
    nonce bytea PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    pre_session bytea,
    expires_at bigint NOT NULL,
    used_at bigint
);
CREATE INDEX login_challenge_expires ON login_challenge(expires_at);

CREATE TABLE session (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    created_at bigint NOT NULL DEFAULT ($now),
    principal_id text NOT NULL REFERENCES principal(id),
    csrf_key bytea NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX session_expires ON session(expires_at);

CREATE TABLE destination (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text NOT NULL REFERENCES wallet(id),
    name text NOT NULL,
    address text NOT NULL,
    script bytea NOT NULL,
    state text NOT NULL CONSTRAINT destination_state CHECK (state IN ('pending', 'active', 'retired')),
    added_by text REFERENCES principal(id),
    policy_version_id text REFERENCES policy_version(id),
    UNIQUE (wallet_id, script)
);

CREATE TABLE change_request (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text REFERENCES wallet(id),
    kind text NOT NULL,
    body text NOT NULL, -- JSON
    loosening bigint NOT NULL CHECK (loosening IN (0, 1)),
    state text NOT NULL CONSTRAINT change_request_state CHECK (state IN
        ('draft', 'approved', 'waiting', 'published', 'rolled_out', 'rolled_back', 'rejected', 'expired')),
    created_by text REFERENCES principal(id),
    not_before bigint,
    expires_at bigint
);
CREATE INDEX change_request_open ON change_request(state, not_before);

-- --- Spends ---

CREATE TABLE spend (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text NOT NULL REFERENCES wallet(id),
    request_id text NOT NULL,
    body_hash bytea NOT NULL CHECK (length(body_hash) = 32),
    principal_id text REFERENCES principal(id),
    tier text NOT NULL CONSTRAINT spend_tier CHECK (tier IN ('auto', 'surge')),
    amount bigint NOT NULL CONSTRAINT spend_amount CHECK (amount >= 0),
    state text NOT NULL CONSTRAINT spend_state CHECK (state IN
        ('received', 'awaiting_approval', 'reserved', 'built', 'signing', 'signed', 'parked', 'sent', 'voiding',
         'confirmed', 'settled', 'rejected', 'expired', 'failed', 'cancelled', 'refused', 'void')),
    state_at bigint NOT NULL,
    fence bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
    owner text,
    lease_until bigint,
    anchor_txid bytea CHECK (length(anchor_txid) = 32),
    anchor_vout bigint,
    change_script bytea,
    change_index bigint,
    not_after bigint,
    next_at bigint NOT NULL DEFAULT 0, -- when it is looked at again
    cancel_asked bigint NOT NULL DEFAULT 0 CHECK (cancel_asked IN (0, 1)),
    fee_rate bigint NOT NULL DEFAULT 0 CHECK (fee_rate >= 0), -- sat per 1000 vB; 0: the tier's
    note text NOT NULL DEFAULT '',
    code text,   -- why it ended or waits (D10), and the sentence for people
    reason text NOT NULL DEFAULT '',
    bumps bigint NOT NULL DEFAULT 0,
    UNIQUE (wallet_id, request_id)
);
CREATE INDEX spend_work ON spend(state, lease_until);
CREATE INDEX spend_list ON spend(wallet_id, created_at);

CREATE TABLE spend_output (
    spend_id text NOT NULL REFERENCES spend(id),
    idx bigint NOT NULL,
    created_at bigint NOT NULL DEFAULT ($now),
    script bytea NOT NULL,
    address text NOT NULL,
    sat bigint NOT NULL CHECK (sat >= 0),
    destination_id text REFERENCES destination(id), -- NULL: pays the wallet itself
    PRIMARY KEY (spend_id, idx)
);

CREATE TABLE approval (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    change_request_id text REFERENCES change_request(id),
    spend_id text REFERENCES spend(id),
    principal_id text NOT NULL REFERENCES principal(id),
    verdict text NOT NULL CONSTRAINT approval_verdict CHECK (verdict IN ('approve', 'reject')),
    at bigint NOT NULL,
    CONSTRAINT approval_one CHECK ((change_request_id IS NULL) <> (spend_id IS NULL)),
    UNIQUE (change_request_id, principal_id),
    UNIQUE (spend_id, principal_id)
);

-- Money that is authorised to leave. window_s, cap and spent_before are those of the admission: evidence of
-- D17 (1).
CREATE TABLE reservation (
    spend_id text PRIMARY KEY REFERENCES spend(id),
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text NOT NULL REFERENCES wallet(id),
    sat bigint NOT NULL CONSTRAINT reservation_sat CHECK (sat >= 0),
    fee bigint NOT NULL CONSTRAINT reservation_fee CHECK (fee >= 0),
    fee_at bigint NOT NULL, -- when the fee was charged last; a replacement or child charges all of it again
    status text NOT NULL CONSTRAINT reservation_status CHECK (status IN ('open', 'sent', 'released')),
    reserved_at bigint NOT NULL,
    first_sent_at bigint,
    released_at bigint,
    release_rule text CHECK (release_rule IN ('R1', 'R2', 'R3')),
    window_s bigint NOT NULL,
    cap bigint NOT NULL,
    spent_before bigint NOT NULL,
    CONSTRAINT reservation_admitted CHECK (spent_before + sat <= cap),
    CONSTRAINT reservation_sent CHECK (status <> 'sent' OR first_sent_at IS NOT NULL),
    CONSTRAINT reservation_released CHECK
        ((status = 'released') = (release_rule IS NOT NULL) AND (status = 'released') = (released_at IS NOT NULL))
);
-- The sums of D2 read these alone. Open ones are few, however long the table has become.
CREATE INDEX reservation_open ON reservation(wallet_id, status, sat, fee, reserved_at) WHERE status = 'open';
CREATE INDEX reservation_window ON reservation(wallet_id, status, first_sent_at, sat);
CREATE INDEX reservation_fees ON reservation(wallet_id, status, fee_at, fee);

CREATE TABLE attempt (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    spend_id text NOT NULL REFERENCES spend(id),
    number bigint NOT NULL CHECK (number >= 1),
    kind text NOT NULL CONSTRAINT attempt_kind CHECK (kind IN ('pay', 'replace', 'child', 'void')),
    psbt bytea, -- the unsigned PSBT; may be pruned a year after settled
    txid bytea NOT NULL UNIQUE CHECK (length(txid) = 32),
    wtxid bytea CHECK (length(wtxid) = 32),
    raw bytea,
    fee bigint NOT NULL CHECK (fee >= 0),
    vsize bigint NOT NULL CHECK (vsize > 0),
    state text NOT NULL CONSTRAINT attempt_state CHECK (state IN
        ('built', 'signing', 'signed', 'sent', 'confirmed', 'dead')),
    first_sent_at bigint,
    block_hash bytea CHECK (length(block_hash) = 32),
    height bigint,
    UNIQUE (spend_id, number),
    CONSTRAINT attempt_final CHECK (state NOT IN ('signed') OR raw IS NOT NULL),
    CONSTRAINT attempt_mined CHECK ((block_hash IS NULL) = (height IS NULL))
);

-- spent_*: another transaction was seen to spend this input, so deep (D5); 0: in a mempool.
CREATE TABLE attempt_input (
    attempt_id text NOT NULL REFERENCES attempt(id),
    idx bigint NOT NULL,
    created_at bigint NOT NULL DEFAULT ($now),
    txid bytea NOT NULL CHECK (length(txid) = 32),
    vout bigint NOT NULL CHECK (vout >= 0),
    sat bigint NOT NULL CHECK (sat >= 0),
    branch bigint NOT NULL DEFAULT 0 CHECK (branch IN (0, 1)),
    path_index bigint NOT NULL DEFAULT 0,
    spent_txid bytea CHECK (length(spent_txid) = 32),
    spent_depth bigint,
    PRIMARY KEY (attempt_id, idx)
);
CREATE INDEX attempt_input_coin ON attempt_input(txid, vout);

CREATE TABLE input_lock (
    wallet_id text NOT NULL REFERENCES wallet(id),
    txid bytea NOT NULL CHECK (length(txid) = 32),
    vout bigint NOT NULL CHECK (vout >= 0),
    created_at bigint NOT NULL DEFAULT ($now),
    spend_id text NOT NULL REFERENCES spend(id),
    UNIQUE (wallet_id, txid, vout)
);
CREATE INDEX input_lock_spend ON input_lock(spend_id);

-- Change addresses given out; spend_id NULL: returned, free for the next spend (D6).
CREATE TABLE change_address (
    wallet_id text NOT NULL REFERENCES wallet(id),
    idx bigint NOT NULL CHECK (idx >= 0),
    created_at bigint NOT NULL DEFAULT ($now),
    spend_id text UNIQUE REFERENCES spend(id),
    PRIMARY KEY (wallet_id, idx)
);

CREATE TABLE sign_request (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    attempt_id text NOT NULL REFERENCES attempt(id),
    signer_id text NOT NULL REFERENCES signer(id),
    seq bigint NOT NULL CHECK (seq >= 1),
    state text NOT NULL CONSTRAINT sign_request_state CHECK (state IN
        ('planned', 'asked', 'signed', 'refused', 'unknown')),
    value bigint NOT NULL DEFAULT 0 CHECK (value >= 0), -- what the device charges
    asked_at bigint,
    answered_at bigint,
    tag text,
    detail text,
    signatures bytea,
    UNIQUE (attempt_id, signer_id, seq),
    CONSTRAINT sign_request_asked CHECK (state = 'planned' OR asked_at IS NOT NULL),
    CONSTRAINT sign_request_signed CHECK (state <> 'signed' OR signatures IS NOT NULL)
);
CREATE INDEX sign_request_open ON sign_request(state);
CREATE INDEX sign_request_rotation ON sign_request(signer_id, asked_at);

-- --- The chain ---

CREATE TABLE chain_cursor (
    node_id text NOT NULL,
    wallet_id text NOT NULL REFERENCES wallet(id),
    created_at bigint NOT NULL DEFAULT ($now),
    block_hash bytea NOT NULL CHECK (length(block_hash) = 32), -- settle_depth deep
    height bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (node_id, wallet_id)
);

CREATE TABLE foreign_outflow (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text NOT NULL REFERENCES wallet(id),
    txid bytea NOT NULL CHECK (length(txid) = 32),
    sat bigint NOT NULL CHECK (sat >= 0),
    fee bigint NOT NULL CHECK (fee >= 0),
    first_seen_at bigint NOT NULL,
    block_hash bytea CHECK (length(block_hash) = 32),
    height bigint,
    state text NOT NULL CONSTRAINT foreign_outflow_state CHECK (state IN ('seen', 'confirmed', 'settled', 'void')),
    acknowledged_by text REFERENCES principal(id),
    UNIQUE (wallet_id, txid)
);
CREATE INDEX foreign_outflow_window ON foreign_outflow(wallet_id, first_seen_at, state, sat, fee);

-- --- Refills ---

CREATE TABLE refill_policy (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    wallet_id text NOT NULL REFERENCES wallet(id),
    name text NOT NULL,
    body text NOT NULL, -- JSON: destinations, floor, target, limits, sources (D12)
    enabled bigint NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    paused_reason text,
    next_sequence bigint NOT NULL DEFAULT 1 CHECK (next_sequence >= 1),
    UNIQUE (wallet_id, name)
);

CREATE TABLE refill_run (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    policy_id text NOT NULL REFERENCES refill_policy(id),
    sequence bigint NOT NULL,
    spend_id text UNIQUE REFERENCES spend(id),
    balances text NOT NULL DEFAULT '[]', -- JSON
    decision text NOT NULL,
    UNIQUE (policy_id, sequence)
);

CREATE TABLE message_proof (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    text text NOT NULL,
    text_hash bytea NOT NULL CHECK (length(text_hash) = 32),
    signer_id text NOT NULL REFERENCES signer(id),
    path text NOT NULL,
    address text NOT NULL,
    signature bytea NOT NULL
);
CREATE INDEX message_proof_text ON message_proof(text_hash);

-- --- Evidence and what is sent out ---

CREATE TABLE event (
    seq bigint PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    at bigint NOT NULL,
    actor text NOT NULL,
    origin text NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    request_id text NOT NULL,
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX event_object ON event(object, seq);

-- One row: the last event. Its lock makes the sequence gapless.
CREATE TABLE event_head (
    id bigint PRIMARY KEY CHECK (id = 1),
    created_at bigint NOT NULL DEFAULT ($now),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
--sqlite INSERT INTO event_head(id, seq, hash) VALUES(1, 0, zeroblob(32));
--postgres INSERT INTO event_head(id, seq, hash) VALUES(1, 0, decode(repeat('00', 32), 'hex'));

CREATE TABLE hook (
    id text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    url text NOT NULL,
    secret_ref text NOT NULL,
    kinds text NOT NULL, -- each with a comma before and after: ",spend.state,reorg,"; ",*," means all
    disabled bigint NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    CONSTRAINT hook_kinds CHECK (kinds LIKE ',%,')
);

CREATE TABLE outbox (
    event_seq bigint NOT NULL REFERENCES event(seq),
    hook_id text NOT NULL REFERENCES hook(id),
    created_at bigint NOT NULL DEFAULT ($now),
    tries bigint NOT NULL DEFAULT 0,
    next_at bigint NOT NULL,
    done_at bigint,
    PRIMARY KEY (event_seq, hook_id)
);
CREATE INDEX outbox_due ON outbox(done_at, next_at);

CREATE TABLE setting (
    key text PRIMARY KEY,
    created_at bigint NOT NULL DEFAULT ($now),
    value text NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
