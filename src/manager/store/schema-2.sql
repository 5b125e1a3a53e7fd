-- Version 2: a node and a link of the topology is a row of its own, so that one that changes costs its own size and not its network's.

CREATE TABLE node (
    network_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (network_id, node_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    network_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (network_id, link_id)
) STRICT, WITHOUT ROWID;

INSERT OR REPLACE INTO node
    SELECT network_id, json_extract(value, '$."node-id"'), value FROM network, json_each(network.body, '$.node');
INSERT OR REPLACE INTO link
    SELECT network_id, json_extract(value, '$."link-id"'), value FROM network, json_each(network.body, '$.link');
UPDATE network SET body = json_remove(body, '$.node', '$.link');
