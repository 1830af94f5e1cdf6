#include "cli/address_put.h"
#include "cli/qr.h"

static void print(struct cli *cli, struct bytes address)
{
    if (cli->o->compat && !cli->o->address_only)
        cli_print(cli, "Displaying address:\n\n%.*s\n\n", BYTES_ARG(address));
    else
        cli_print(cli, "%.*s\n", BYTES_ARG(address));
    if (!cli->o->address_only)
        cli_note(cli, "Outside HSM mode the address stands on the device's screen until it is "
                      "dismissed there.");
}

bool address_put(struct cli *cli, struct bytes address, enum addr_format format, struct err *err)
{
    print(cli, address);
    cli_text(cli, "address", address);
    cli_text(cli, "format", bytes_of_text(addr_format_name(format)));
    return !cli->o->qr || qr_put(cli, address, err);
}
