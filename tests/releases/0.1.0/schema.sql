CREATE TABLE access_clock (
	id INTEGER NOT NULL, 
	passed_until DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE api_key (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	previous_digest VARCHAR(64), 
	previous_expires_at DATETIME, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	models JSON, 
	created_by VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id), 
	UNIQUE (project_id, name)
);
CREATE TABLE audit_event (
	id VARCHAR(64) NOT NULL, 
	number BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	action VARCHAR(128) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	resource VARCHAR(512) NOT NULL, 
	resource_name VARCHAR(512) NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	"before" JSON, 
	"after" JSON, 
	previous_hash VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (number)
);
CREATE TABLE budget (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	parent_id VARCHAR(64) NOT NULL, 
	scope VARCHAR(16) NOT NULL, 
	scope_id VARCHAR(64) NOT NULL, 
	model VARCHAR(127), 
	amount_pico BIGINT NOT NULL, 
	enforcement VARCHAR(16) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (parent_id, name)
);
CREATE TABLE budget_lease (
	budget_id VARCHAR(64) NOT NULL, 
	holder VARCHAR(253) NOT NULL, 
	period_start DATETIME NOT NULL, 
	credit_pico BIGINT NOT NULL, 
	expires_at DATETIME NOT NULL, 
	PRIMARY KEY (budget_id, holder), 
	FOREIGN KEY(budget_id) REFERENCES budget (id) ON DELETE CASCADE
);
CREATE TABLE budget_spending (
	budget_id VARCHAR(64) NOT NULL, 
	period_start DATETIME NOT NULL, 
	spent_pico BIGINT NOT NULL, 
	PRIMARY KEY (budget_id, period_start), 
	FOREIGN KEY(budget_id) REFERENCES budget (id) ON DELETE CASCADE
);
CREATE TABLE cluster_object (
	kind VARCHAR(63) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	uid VARCHAR(36) NOT NULL, 
	document JSON NOT NULL, 
	PRIMARY KEY (kind, namespace, name), 
	UNIQUE (uid)
);
CREATE TABLE cluster_object_change (
	resource_version BIGINT NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	kind VARCHAR(63) NOT NULL, 
	document JSON NOT NULL, 
	PRIMARY KEY (resource_version)
);
CREATE TABLE cluster_occurrence (
	id VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	kind VARCHAR(63) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	reason VARCHAR(128) NOT NULL, 
	message VARCHAR NOT NULL, 
	first_seen DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	count INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (fingerprint)
);
CREATE TABLE counter (
	name VARCHAR(64) NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE idempotency_claim (
	key_digest VARCHAR(64) NOT NULL, 
	claim_id VARCHAR(64) NOT NULL, 
	body_digest VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	claimed_at DATETIME NOT NULL, 
	status INTEGER, 
	headers JSON NOT NULL, 
	answer BLOB, 
	PRIMARY KEY (key_digest)
);
CREATE TABLE ledger_entry (
	project_id VARCHAR(64) NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	key_id VARCHAR(64) NOT NULL, 
	model VARCHAR(127) NOT NULL, 
	deployment VARCHAR(63) NOT NULL, 
	revision VARCHAR(63) NOT NULL, 
	operation VARCHAR(63) NOT NULL, 
	started_at DATETIME NOT NULL, 
	quarter DATETIME NOT NULL, 
	duration_ms FLOAT NOT NULL, 
	ttft_ms FLOAT, 
	status INTEGER NOT NULL, 
	answered BOOLEAN NOT NULL, 
	estimated BOOLEAN NOT NULL, 
	input_tokens BIGINT NOT NULL, 
	output_tokens BIGINT NOT NULL, 
	cost_pico BIGINT NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	rate_card_id VARCHAR(64) NOT NULL, 
	budget_ids VARCHAR(2048) NOT NULL, 
	gateway VARCHAR(253) NOT NULL, 
	attempts JSON NOT NULL, 
	received_at DATETIME NOT NULL, 
	PRIMARY KEY (project_id, request_id)
);
CREATE TABLE limit_rule (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	parent_id VARCHAR(64) NOT NULL, 
	scope VARCHAR(16) NOT NULL, 
	scope_id VARCHAR(64) NOT NULL, 
	model VARCHAR(127), 
	metric VARCHAR(16) NOT NULL, 
	amount BIGINT NOT NULL, 
	window_seconds INTEGER NOT NULL, 
	enforcement VARCHAR(16) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (parent_id, name)
);
CREATE TABLE model (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	description VARCHAR(2000) NOT NULL, 
	last_number INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id), 
	UNIQUE (project_id, name)
);
CREATE TABLE model_alias (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	model_id VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(model_id) REFERENCES model (id), 
	UNIQUE (model_id, name)
);
CREATE TABLE model_grant (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	owner_id VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner_id) REFERENCES project (id), 
	FOREIGN KEY(project_id) REFERENCES project (id), 
	UNIQUE (project_id, name)
);
CREATE TABLE model_version (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	model_id VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	format VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason VARCHAR(4000) NOT NULL, 
	digest VARCHAR(71) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	signature JSON NOT NULL, 
	metadata JSON NOT NULL, 
	ready_at DATETIME, 
	created_by VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(model_id) REFERENCES model (id), 
	FOREIGN KEY(project_id) REFERENCES project (id), 
	UNIQUE (model_id, number)
);
CREATE TABLE organization (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	time_zone VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE project (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	organization_id VARCHAR(64) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	allow_code BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(organization_id) REFERENCES organization (id), 
	UNIQUE (namespace), 
	UNIQUE (organization_id, name)
);
CREATE TABLE rate_card (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(253) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	labels JSON NOT NULL, 
	project_id VARCHAR(64), 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id), 
	UNIQUE (name)
);
CREATE TABLE rate_card_version (
	id VARCHAR(64) NOT NULL, 
	rate_card_id VARCHAR(64) NOT NULL, 
	effective_from DATETIME NOT NULL, 
	created_at DATETIME NOT NULL, 
	prices JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(rate_card_id) REFERENCES rate_card (id)
);
CREATE TABLE usage_rollup (
	id VARCHAR(32) NOT NULL, 
	quarter DATETIME NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	key_id VARCHAR(64) NOT NULL, 
	model VARCHAR(127) NOT NULL, 
	operation VARCHAR(63) NOT NULL, 
	status_class INTEGER NOT NULL, 
	estimated BOOLEAN NOT NULL, 
	rate_card_id VARCHAR(64) NOT NULL, 
	budget_ids VARCHAR(2048) NOT NULL, 
	billed BOOLEAN NOT NULL, 
	requests BIGINT NOT NULL, 
	input_tokens BIGINT NOT NULL, 
	output_tokens BIGINT NOT NULL, 
	cost_pico BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE version_file (
	version_id VARCHAR(64) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	received BOOLEAN NOT NULL, 
	PRIMARY KEY (version_id, path), 
	FOREIGN KEY(version_id) REFERENCES model_version (id)
);
CREATE INDEX ix_api_key_live ON api_key (revoked_at, expires_at);
CREATE INDEX ix_audit_event_action ON audit_event (action);
CREATE INDEX ix_audit_event_actor ON audit_event (actor);
CREATE INDEX ix_audit_event_at ON audit_event (at);
CREATE INDEX ix_audit_event_project_id ON audit_event (project_id);
CREATE INDEX ix_audit_event_resource ON audit_event (resource);
CREATE INDEX ix_budget_scope_id ON budget (scope_id);
CREATE INDEX ix_cluster_occurrence_object ON cluster_occurrence (kind, namespace, name, last_seen);
CREATE INDEX ix_idempotency_claim_claimed_at ON idempotency_claim (claimed_at);
CREATE INDEX ix_ledger_entry_quarter ON ledger_entry (quarter);
CREATE INDEX ix_ledger_entry_started ON ledger_entry (project_id, started_at, request_id);
CREATE INDEX ix_limit_rule_scope_id ON limit_rule (scope_id);
CREATE INDEX ix_rate_card_version_card ON rate_card_version (rate_card_id, effective_from);
CREATE INDEX ix_rate_card_version_effective_from ON rate_card_version (effective_from);
CREATE INDEX ix_usage_rollup_project ON usage_rollup (project_id, quarter);
CREATE INDEX ix_usage_rollup_quarter ON usage_rollup (quarter);
CREATE INDEX ix_version_file_sha256 ON version_file (sha256);
INSERT INTO alembic_version VALUES ('0001');
