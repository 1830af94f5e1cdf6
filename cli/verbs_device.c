// The device as such: cli.md 3.1, 3.21, 3.23.
#include "cli/verbs.h"
#include "client/discover.h"

#define PING_MAX 2055

// --- list ---

// "a dump of the hidapi record, one `'key': value` per line, sorted"
static void print_usb(struct cli *cli, const struct hid_found *usb)
{
    cli_print(cli, "'interface_number': %d\n", usb->interface_number);
    cli_print(cli, "'manufacturer_string': '%s'\n", usb->manufacturer);
    cli_print(cli, "'path': '%s'\n", usb->path);
    cli_print(cli, "'product_id': %d\n", HID_PRODUCT);
    cli_print(cli, "'product_string': '%s'\n", usb->product);
    cli_print(cli, "'release_number': %u\n", usb->release);
    cli_print(cli, "'serial_number': '%s'\n", usb->serial);
    cli_print(cli, "'usage': %u\n", usb->usage);
    cli_print(cli, "'usage_page': %u\n", usb->usage_page);
    cli_print(cli, "'vendor_id': %d\n", HID_VENDOR);
}

static void print_found(struct cli *cli, const struct discovered *d)
{
    cli_print(cli, "\nColdcard %s:\n", d->serial);
    if (d->usb != NULL) {
        print_usb(cli, d->usb);
        return;
    }
    cli_print(cli, "'path': '%s'\n", d->path);
    cli_print(cli, "'product_string': '%s'\n", d->product);
    cli_print(cli, "'serial_number': '%s'\n", d->serial);
    cli_print(cli, "'transport': '%s'\n", d->transport);
}

static void put_found(struct json_writer *j, const struct discovered *d)
{
    json_begin_object(j);
    json_key(j, "serial");
    json_text(j, d->serial);
    json_key(j, "path");
    json_text(j, d->path);
    json_key(j, "product");
    json_text(j, d->product);
    json_key(j, "transport");
    json_text(j, d->transport);
    json_end_object(j);
}

static bool run_list(struct cli *cli, struct err *err)
{
    struct discovery *found = arena_alloc(cli->arena, sizeof *found);
    if (found == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the list");
    // The reference looks at USB only.
    if ((!cli->o->compat && !discover_sockets(found, cli->arena, err)) ||
        !discover_usb(found, cli->arena, err))
        return false;
    json_begin_array(&cli->result);
    for (size_t i = 0; i < found->n; i++) {
        print_found(cli, &found->items[i]);
        put_found(&cli->result, &found->items[i]);
    }
    json_end_array(&cli->result);
    if (found->n == 0)
        cli_print(cli, "(none found)\n");
    return true;
}
const struct verb verb_list = {
    "list",
    "",
    0,
    0,
    "List the Coldcards on USB, and the signers that listen on this machine",
    "Looks for sockets in /run/casemate and /tmp; asks none anything.\n",
    NO_OPTIONS,
    0,
    run_list
};

// --- logout, reboot ---

static bool do_and_say(struct cli *cli, enum request_id id, struct err *err)
{
    const struct request request = { .id = id };
    struct reply reply;
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_OKAY, &request, err))
        return false;
    cli_print(cli, "Okay!\n");
    return true;
}

static bool run_logout(struct cli *cli, struct err *err)
{
    return do_and_say(cli, REQUEST_LOGO, err);
}
const struct verb verb_logout = {
    "logout", "", 0, 0, "Power the device down", NULL, NO_OPTIONS, VERB_NOT_OVER_LINK, run_logout
};

static bool run_reboot(struct cli *cli, struct err *err)
{
    return do_and_say(cli, REQUEST_REBO, err);
}
const struct verb verb_reboot = { "reboot",
                                  "",
                                  0,
                                  0,
                                  "Restart the device, which then is locked",
                                  NULL,
                                  NO_OPTIONS,
                                  VERB_NOT_OVER_LINK,
                                  run_reboot };

// --- test ---

// "random (or constant) data of lengths 55-65, 1013-1023, 2050-2055"
static const struct {
    size_t from, to;
} lengths[] = { { 55, 65 }, { 1013, 1023 }, { 2050, PING_MAX } };

static void fill(const struct cli *cli, uint8_t *data, size_t len)
{
    if (cli->o->single.is_set)
        memset(data, (int)cli->o->single.value, len);
    else
        for (size_t i = 0; i < len; i++) // not secret, only never the same twice
            data[i] = (uint8_t)((i * 167 + len * 13) ^ (i >> 3));
}

static bool ping(struct cli *cli, size_t len, struct err *err)
{
    uint8_t data[PING_MAX] = { 0 };
    const struct request request = { .id = REQUEST_PING, .data = bytes_of(data, len) };
    struct reply reply;
    fill(cli, data, len);
    if (!connection_call(cli->connection, &reply, REPLY_BINY, &request, NULL, err))
        return false;
    if (!bytes_equal(reply.data, request.data))
        return err_set(err, ERR_FRAMING, "ping of %zu bytes came back changed", len);
    cli_print(cli, "Ping with length: %zu  Okay\n", len);
    return true;
}

static bool run_test(struct cli *cli, struct err *err)
{
    uint64_t n = 0;
    if (!cli_connect(cli, err))
        return false;
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (size_t len = lengths[i].from; len <= lengths[i].to; len++, n++)
            if (!ping(cli, len, err))
                return false;
    cli_number(cli, "pings", n);
    return true;
}
static const struct option test_options[] = {
    NUMBER('s', "single", "BYTE", single, 0, 255, "send only this byte"),
};
const struct verb verb_test = { "test",
                                "",
                                0,
                                0,
                                "Try the link with messages of awkward lengths",
                                NULL,
                                OPTIONS(test_options),
                                0,
                                run_test };
