#include "tests/support/postgres.h"
#include "base/require.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETTINGS_MAX = 8 };

static NORETURN void run_script(int in, int out, const char *settings)
{
    char path[4096], words[512];
    char *args[SETTINGS_MAX + 2] = { path }, *rest = words;
    const char *vectors = getenv("CASEMATE_VECTORS"); // tests/vectors
    (void)snprintf(path, sizeof path, "%s/../support/postgres",
                   vectors ? vectors : "tests/vectors");
    (void)snprintf(words, sizeof words, "%s", settings ? settings : "");
    for (size_t n = 1; n <= SETTINGS_MAX && (args[n] = strtok_r(rest, ";", &rest)) != NULL;)
        n++;
    (void)dup2(in, 0);
    (void)dup2(out, 1);
    (void)execv(path, args);
    _exit(127);
}

static bool read_line(int fd, char *out, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && read(fd, out + len, 1) == 1 && out[len] != '\n')
        len++;
    out[len] = 0;
    return len > 0;
}

bool postgres_start(struct postgres *out, const char *settings)
{
    int to[2], from[2];
    // Close on exec: a program that a test starts would keep the server alive.
    REQUIRE(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    *out = (struct postgres){ .pid = fork(), .input = to[1] };
    REQUIRE(out->pid >= 0);
    if (out->pid == 0)
        run_script(to[0], from[1], settings);
    (void)close(to[0]);
    (void)close(from[1]);
    const bool said = read_line(from[0], out->uri, sizeof out->uri);
    (void)close(from[0]);
    if (said && strncmp(out->uri, "host=", 5) == 0)
        return true;
    (void)fprintf(stderr, "# no PostgreSQL: %s\n", said ? out->uri : "the server did not start");
    postgres_stop(out);
    return false;
}

void postgres_stop(struct postgres *pg)
{
    (void)close(pg->input);
    (void)waitpid(pg->pid, NULL, 0);
    *pg = (struct postgres){ .pid = -1, .input = -1 };
}
