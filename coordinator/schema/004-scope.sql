-- Step 4: a webhook is of one wallet, whose people made it, and is told of that wallet alone (D1 "every object below is
-- wallet-scoped"). Those that are there are of the wallet whose change made them, else of the first one.

ALTER TABLE hook ADD COLUMN wallet_id text REFERENCES wallet(id);
UPDATE hook SET wallet_id = coalesce(
    (SELECT c.wallet_id FROM change_request c WHERE c.kind = 'hook.add' AND c.wallet_id IS NOT NULL
        AND c.state IN ('published', 'rolled_out') AND c.body LIKE '%"' || hook.url || '"%' ORDER BY c.id DESC LIMIT 1),
    (SELECT w.id FROM wallet w ORDER BY w.created_at, w.id LIMIT 1));
