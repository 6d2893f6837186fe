/* SPDX-License-Identifier: Apache-2.0
 *
 * One of the models of a program that has two: the model.h on this file's path, under a name.
 */
#include "model.h"

extern const struct cnnaccel_model *const MODEL_NAME;
const struct cnnaccel_model *const MODEL_NAME = &cnnaccel_model;
