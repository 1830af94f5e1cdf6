#include "coordinator/port.h"
#include "coordinator/child.h"
#include "coordinator/port_device.h"

#define RESTART_OUTPUT_MAX 65536

bool port_new(struct port **out, const struct port_options *options, struct err *err)
{
    return options->section->transport == TRANSPORT_COMMAND ? command_port_new(out, options, err)
                                                            : device_port_new(out, options, err);
}

void port_free(struct port *port)
{
    if (port != NULL)
        port->ops->free(port);
}

void port_freep(struct port **port)
{
    port_free(*port);
    *port = NULL;
}

bool port_hello(struct port *port, struct port_hello *out, struct err *err)
{
    *out = (struct port_hello){ 0 };
    return port->ops->hello(port, out, err);
}

bool port_status(struct port *port, struct port_status *out, struct err *err)
{
    *out = (struct port_status){ .uptime_ms = -1 };
    return port->ops->status(port, out, err);
}

bool port_knows_wallet(struct port *port, enum port_wallet *out, const struct ms_wallet *wallet,
                       struct err *err)
{
    *out = PORT_WALLET_ABSENT;
    return port->ops->knows_wallet(port, out, wallet, err);
}

bool port_register(struct port *port, const struct ms_wallet *wallet, struct err *err)
{
    return port->ops->register_wallet(port, wallet, err);
}

bool port_enrol(struct port *port, const struct port_user *user, struct err *err)
{
    return port->ops->enrol(port, user, err);
}

bool port_load_policy(struct port *port, struct bytes policy, struct err *err)
{
    return port->ops->load_policy(port, policy, err);
}

bool port_activate(struct port *port, struct err *err)
{
    return port->ops->activate(port, err);
}

bool port_auth(struct port *port, const struct port_auth *auth, struct err *err)
{
    return port->ops->auth(port, auth, err);
}

void port_sign(struct port *port, struct port_answer *out, struct bytes psbt, struct arena *arena)
{
    *out = (struct port_answer){ .outcome = PORT_UNSENT };
    port->ops->sign(port, out, psbt, arena);
}

bool port_sign_message(struct port *port, struct port_message *out, const char *path,
                       struct bytes text, struct err *err)
{
    *out = (struct port_message){ 0 };
    return port->ops->sign_message(port, out, path, text, err);
}

bool port_reboot(struct port *port, struct err *err)
{
    return port->ops->reboot(port, err);
}

void port_hang_up(struct port *port)
{
    port->ops->hang_up(port);
}

bool port_status_has_user(const struct port_status *status, const char *name)
{
    for (size_t i = 0; i < status->n_users; i++)
        if (strcmp(status->users[i], name) == 0)
            return true;
    return false;
}

bool restart_signer(const struct port_options *options, struct deadline *deadline, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4 * RESTART_OUTPUT_MAX);
    const struct child child = { .argv = options->section->restart_command,
                                 .output_max = RESTART_OUTPUT_MAX,
                                 .may_leave = true,
                                 .stop_fd = deadline->fd };
    struct bytes said;
    if (child.argv[0] == NULL)
        return err_set(err, ERR_UNSUPPORTED, "no restart_command is configured");
    deadline_set(deadline, PORT_REBOOT_MS, PORT_REBOOT_MS);
    // Who was told to stop starts nothing more: another may be talking to that signer by now.
    return (wait_pause(0, deadline->fd, err) && child_run(&said, &child, arena, err)) ||
           deadline_explain(deadline, err);
}
