// http/captcha.h -- a picture of eight characters, for when passwords are being guessed.
//
// Pure but for the random bytes that draw it. Bots read it and people struggle with it, so it is asked for
// only while the throttle sees guessing. Source: bunker.md 4.2, 4.3.
#ifndef CASEMATE_HTTP_CAPTCHA_H
#define CASEMATE_HTTP_CAPTCHA_H
#include "base/writer.h"

#define CAPTCHA_LEN    8
#define CAPTCHA_SIZE   9 // with a final zero
#define CAPTCHA_WIDTH  256
#define CAPTCHA_HEIGHT 64

// Eight distinct characters of those that are hard to take for each other.
void captcha_pick(char out[static CAPTCHA_SIZE]);

// A PNG of CAPTCHA_WIDTH by CAPTCHA_HEIGHT, black on white. easy: neither moved nor crossed out.
void captcha_png(struct writer *w, const char *text, bool easy);

// Whether `given` is it, in either case.
bool captcha_is(const char *text, struct bytes given);

#endif
