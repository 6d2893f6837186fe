/* SPDX-License-Identifier: Apache-2.0
 *
 * What happened, in words; the same that cnnaccel/runtime/driver.py uses.
 */
#include "cnnaccel.h"
#include "words.h"

static const char *const status_words[] = {
    [CNNACCEL_OK] = "all is well",
    [CNNACCEL_BAD_ARGUMENT] = "a pointer is NULL, or a number out of its range",
    [CNNACCEL_NO_ENGINE] = "there is no engine; is the bitstream loaded, and is this its address?",
    [CNNACCEL_OTHER_VERSION] = "engine, program and params.h differ in their format; export again",
    [CNNACCEL_OTHER_ENGINE] = "engine, program and headers are not of one hardware; export again",
    [CNNACCEL_BAD_MODEL] = "the description of the model contradicts itself; export again",
    [CNNACCEL_OTHER_MODEL] = "program.bin is not the one model.h was rendered from; export again",
    [CNNACCEL_BAD_PROGRAM] = "program.bin is damaged, or not a cnnaccel program; compile again",
    [CNNACCEL_BAD_WEIGHTS] = "weights.bin is damaged or of another program; compile again",
    [CNNACCEL_BAD_MEMORY] = "a buffer is missing, too small, not aligned, or beyond the bus",
    [CNNACCEL_NOT_LOADED] = "no network is loaded; call cnnaccel_load first",
    [CNNACCEL_NOT_STARTED] = "nothing runs; call cnnaccel_start first",
    [CNNACCEL_FAILED] = "the engine stopped with an error",
    [CNNACCEL_TIMEOUT] = "the engine does nothing any more",
    [CNNACCEL_RESET_TIMEOUT] = "the engine does not end its reset",
    [CNNACCEL_NO_PLATFORM] = "registers or memory cannot be opened, mapped or used",
    [CNNACCEL_NOT_CONFIGURED] = "fpga_manager says that no bitstream works; load it first",
    [CNNACCEL_NEEDS_SCALING] = "the picture is not of the network's size; scale it first",
    [CNNACCEL_TRANSPARENT] = "the picture is transparent in places; put it on a background",
};

enum {
    STATUSES = sizeof status_words / sizeof status_words[0],
    ERRORS = sizeof cnnaccel_error_words / sizeof cnnaccel_error_words[0],
    WAITING_BITS = sizeof cnnaccel_waiting_words / sizeof cnnaccel_waiting_words[0],
    MOST_DIGITS = 20, /* of 2**64 */
};

/* A text that grows as far as there is room, and always ends with 0. */
struct text {
    char *at;
    size_t room; /* with the 0 */
    bool whole;
};

static void add(struct text *text, const char *words)
{
    for (; *words != '\0'; words++) {
        if (text->room <= 1) {
            text->whole = false;
            return;
        }
        *text->at++ = *words;
        *text->at = '\0';
        text->room--;
    }
}

static void add_number(struct text *text, uint64_t value, unsigned base, int least_digits)
{
    char digits[MOST_DIGITS + 1];
    char *first = digits + MOST_DIGITS;

    *first = '\0';
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || first > digits + MOST_DIGITS - least_digits);
    add(text, first);
}

/* What each unit does or waits for. */
static void add_activity(struct text *text, uint32_t waiting)
{
    const char *between = ": ";

    for (unsigned bit = 0; bit < WAITING_BITS; bit++) {
        if ((waiting >> bit & 1) == 0)
            continue;
        add(text, between);
        add(text, cnnaccel_waiting_words[bit]);
        between = "; ";
    }
    if (waiting == 0)
        add(text, ": it is at rest");
}

/* An instruction by its index in once and body, and the layer it belongs to. */
static void add_instruction(struct text *text, const struct cnnaccel *engine)
{
    const uint32_t index = engine->failure.instruction, once = engine->header.once_instructions;
    const struct cnnaccel_model *model = engine->model;
    const char *layer = NULL;

    add(text, index < once ? "once " : "body ");
    add_number(text, index < once ? index : index - once, 10, 1);
    if (model == NULL)
        return;
    for (uint32_t i = 0; i < model->layer_count && model->layers[i].first <= index; i++)
        layer = model->layers[i].name;
    if (layer != NULL) {
        add(text, " (");
        add(text, layer);
        add(text, ")");
    }
}

static void add_failure(struct text *text, const struct cnnaccel *engine)
{
    const uint32_t error = engine->failure.error;

    add(text, "the engine stopped with error ");
    add_number(text, error, 10, 1);
    add(text, ", ");
    add(text, error < ERRORS ? cnnaccel_error_words[error] : "unknown");
    add(text, ", at instruction ");
    add_instruction(text, engine);
    add(text, ", iteration ");
    add_number(text, engine->failure.iteration, 10, 1);
    add(text, "; it is reset, and the next run begins anew");
}

const char *cnnaccel_strerror(enum cnnaccel_status status)
{
    const unsigned index = (unsigned)status;

    return index < STATUSES ? status_words[index] : "unknown status";
}

static void add_found(struct text *text, enum cnnaccel_status status, uint64_t found,
                      uint64_t expected, int digits)
{
    add(text, cnnaccel_strerror(status));
    add(text, " (found ");
    add_number(text, found, 16, digits);
    add(text, ", params.h has ");
    add_number(text, expected, 16, digits);
    add(text, ")");
}

enum cnnaccel_status cnnaccel_explain(const struct cnnaccel *engine, enum cnnaccel_status status,
                                      char *words, size_t bytes)
{
    struct text text = {words, bytes, true};

    if (engine == NULL || words == NULL || bytes == 0)
        return CNNACCEL_BAD_ARGUMENT;
    *words = '\0';
    switch (status) {
    case CNNACCEL_FAILED:
        add_failure(&text, engine);
        break;
    case CNNACCEL_TIMEOUT:
        add(&text, "the engine has done nothing for ");
        add_number(&text, engine->timeout_us / 1000, 10, 1);
        add(&text, " ms");
        add_activity(&text, engine->failure.waiting);
        break;
    case CNNACCEL_RESET_TIMEOUT:
        add(&text, cnnaccel_strerror(status));
        add_activity(&text, engine->failure.waiting);
        break;
    case CNNACCEL_NO_ENGINE:
        add_found(&text, status, engine->failure.found, CNNACCEL_MAGIC, 8);
        break;
    case CNNACCEL_OTHER_VERSION:
        add_found(&text, status, engine->failure.found, CNNACCEL_FORMAT_VERSION, 1);
        break;
    case CNNACCEL_OTHER_ENGINE:
        add_found(&text, status, engine->failure.found, CNNACCEL_DIGEST, 16);
        break;
    default:
        add(&text, cnnaccel_strerror(status));
    }
    return text.whole ? CNNACCEL_OK : CNNACCEL_BAD_ARGUMENT;
}
