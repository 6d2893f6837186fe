/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MISUSE_H
#define MISUSE_H

#include "cnnaccel.h"

/* Makes every call that must be refused; the first that is not, in C, or "refused". The engine is
 * open, with the model loaded, and stays so. block: 4 KiB. */
const char *misuse(const struct cnnaccel *engine, const struct cnnaccel_model *model,
                   uint8_t *block, const struct cnnaccel_hal *hal);

#endif
