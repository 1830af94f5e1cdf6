// The routes of the native API. Source: coordinator.md D10.
#include "coordinator/api_handlers.h"

#define CHANGES (ROUTE_CHANGES | ROUTE_JSON)
#define VIEW    ROLE_VIEWER
#define SPEND   ROLE_SPENDER
#define APPROVE ROLE_APPROVER
#define OPERATE ROLE_OPERATOR
#define ADMIN   ROLE_POLICY_ADMIN
#define OFFICE  ROLE_OFFICER

const struct route api_routes[] = {
    { HTTP_POST, "/v1/spends", SPEND, CHANGES, api_post_spend },
    { HTTP_GET, "/v1/spends", VIEW, 0, api_get_spends },
    { HTTP_GET, "/v1/spends/*", VIEW, 0, api_get_spend },
    { HTTP_GET, "/v1/spends/*/events", VIEW, 0, api_get_spend_events },
    { HTTP_POST, "/v1/spends/*/approve", APPROVE, CHANGES, api_approve_spend },
    { HTTP_POST, "/v1/spends/*/reject", APPROVE, CHANGES, api_reject_spend },
    { HTTP_POST, "/v1/spends/*/cancel", (unsigned)SPEND | (unsigned)OPERATE, CHANGES,
      api_cancel_spend },
    { HTTP_POST, "/v1/spends/*/bump", OPERATE, CHANGES, api_bump_spend },
    { HTTP_GET, "/v1/wallets", VIEW, 0, api_get_wallets },
    { HTTP_GET, "/v1/wallets/*", VIEW, 0, api_get_wallet },
    { HTTP_GET, "/v1/wallets/*/velocity", VIEW, 0, api_get_velocity },
    { HTTP_GET, "/v1/wallets/*/coins", VIEW, 0, api_get_coins },
    { HTTP_POST, "/v1/wallets/*/freeze", OPERATE, CHANGES, api_freeze_wallet },
    { HTTP_GET, "/v1/signers", VIEW, 0, api_get_signers },
    { HTTP_POST, "/v1/signers/*/enable", OPERATE, CHANGES, api_enable_signer },
    { HTTP_POST, "/v1/signers/*/disable", OPERATE, CHANGES, api_disable_signer },
    { HTTP_POST, "/v1/signers/*/heal", OPERATE, CHANGES, api_heal_signer },
    { HTTP_POST, "/v1/signers/*/reboot", OPERATE, CHANGES, api_reboot_signer },
    { HTTP_GET, "/v1/policies", VIEW, 0, api_get_changes },
    { HTTP_POST, "/v1/policies", (unsigned)ADMIN | (unsigned)OFFICE | (unsigned)OPERATE, CHANGES,
      api_post_change },
    { HTTP_GET, "/v1/policies/*", VIEW, 0, api_get_change },
    { HTTP_POST, "/v1/policies/*/approve", OFFICE, CHANGES, api_approve_change },
    { HTTP_POST, "/v1/policies/*/reject", OFFICE, CHANGES, api_reject_change },
    { HTTP_POST, "/v1/policies/*/publish", (unsigned)ADMIN | (unsigned)OFFICE, CHANGES,
      api_publish_change },
    { HTTP_POST, "/v1/policies/*/rollback", (unsigned)ADMIN | (unsigned)OFFICE, CHANGES,
      api_rollback_change },
    { HTTP_GET, "/v1/destinations", VIEW, 0, api_get_destinations },
    { HTTP_POST, "/v1/destinations", ADMIN, CHANGES, api_post_destination },
    { HTTP_DELETE, "/v1/destinations/*", (unsigned)ADMIN | (unsigned)OFFICE, CHANGES,
      api_delete_destination },
    { HTTP_GET, "/v1/refills", VIEW, 0, api_get_refills },
    { HTTP_POST, "/v1/refills", OPERATE, CHANGES, api_post_refill },
    { HTTP_POST, "/v1/messages", SPEND, CHANGES, api_post_message },
    { HTTP_GET, "/v1/audit", ROLE_AUDITOR, 0, api_get_audit },
    { HTTP_GET, "/v1/people", (unsigned)ROLE_AUDITOR | (unsigned)ADMIN | (unsigned)OFFICE, 0,
      api_get_people },
    { HTTP_GET, "/v1/me", 0, 0, api_get_me },
    { HTTP_GET, "/healthz", 0, ROUTE_PUBLIC | ROUTE_NO_LEDGER, api_healthz },
    { HTTP_GET, "/readyz", 0, ROUTE_PUBLIC, api_readyz },
    { HTTP_GET, "/metrics", 0, ROUTE_PUBLIC | ROUTE_NO_LEDGER, api_metrics },
};
const size_t n_api_routes = COUNT(api_routes);
