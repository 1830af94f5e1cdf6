// bitcoin/story.h -- a transaction in words, for the screen, the host and the log.
#ifndef CASEMATE_BITCOIN_STORY_H
#define CASEMATE_BITCOIN_STORY_H
#include "bitcoin/facts.h"

// 0x02 stands before every address on the screen, where it makes a line break possible in the
// middle of one; for the host a blank instead; nothing in the log (policy.md 17.3).
enum story_form { STORY_SCREEN, STORY_TEXT, STORY_LOG };

// Programs read the facts, never this: a message PSBT's text may imitate parts of it.
// Source: psbt-signing.md 13.
void story_write(struct writer *w, const struct tx_facts *facts, enum unit unit,
                 enum story_form form);

#endif
