/* SPDX-License-Identifier: Apache-2.0
 * Rendered from cnnaccel/isa/instructions.py by templates/words.h.j2: do not edit; refresh with
 * `pytest tests/unit/test_render_model.py --update-golden`. docs/isa.md has the same words.
 */
#ifndef CNNACCEL_WORDS_H
#define CNNACCEL_WORDS_H

/* What the register `error` says, by its value. */
static const char *const cnnaccel_error_words[] = {
    [CNNACCEL_ERROR_NONE] = "it did not fail",
    [CNNACCEL_ERROR_OPCODE] = "unknown opcode",
    [CNNACCEL_ERROR_ADDRESS] = "DRAM address outside its buffer",
    [CNNACCEL_ERROR_READ] = "AXI error response to a read",
    [CNNACCEL_ERROR_WRITE] = "AXI error response to a write",
    [CNNACCEL_ERROR_TOKEN] = "every unit waits for a token, or a token counter overflowed",
};

/* What each bit of the register `waiting` says, the lowest first. */
static const char *const cnnaccel_waiting_words[] = {
    "fetch waits for instructions from DRAM",
    "fetch waits for room in the queue of a unit",
    "load has instructions under way",
    "load waits for data from DRAM",
    "the next load waits for a token of compute",
    "the next load waits for a token of store",
    "compute has instructions under way",
    "the next MAC or MAX waits for a token of load",
    "the next MAC or MAX waits for a token of store",
    "store has instructions under way",
    "store waits for DRAM to take or acknowledge data",
    "the next store waits for a token of load",
    "the next store waits for a token of compute",
    "reset, or a failure, waits for DRAM to end what it was asked for",
};

#endif
