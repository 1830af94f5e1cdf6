#include "policy/users.h"
#include "fuzz/fuzz.h"

// A record that is read is written again with the same meaning; reading that changes nothing.
FUZZ_TARGET(data)
{
    char mem[2][USER_RECORD_MAX];
    struct writer first = writer_of(mem[0], sizeof mem[0]),
                  second = writer_of(mem[1], sizeof mem[1]);
    struct user user, again;
    struct err err;
    if (!user_record_read(&user, BYTES("bob"), data, &err))
        return;
    user_record_write(&first, &user);
    REQUIRE(user_record_read(&again, BYTES("bob"), writer_bytes(&first), &err));
    user_record_write(&second, &again);
    REQUIRE(bytes_equal(writer_bytes(&first), writer_bytes(&second)));
    REQUIRE(again.mode == user.mode && again.progress.last == user.progress.last &&
            again.progress.zero_used == user.progress.zero_used);
    REQUIRE(bytes_equal(bytes_of(user.secret, user.secret_len),
                        bytes_of(again.secret, again.secret_len)));
}
