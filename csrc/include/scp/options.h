/* Options: name, first value, range, unit and one sentence, written once, as the row of a table.
 *
 * A topic lists its rows in a macro (SCP_REFINE_ROWS in scp/refine.h). From that one list come the
 * fields of its struct, the check below, the table that scp._core.options gives to Python, and with
 * it the dataclasses, the command line's --set, `scp info --options` and the tables in docs/:
 *
 *     #define ROWS(O)                                                               \
 *         O(COUNT, window, 11, 1, 4096, "cells", "negatives on either side")        \
 *         O(REAL, margin, 0.07, 0, 100, "cosine", "handicap per cell")              \
 *         O(CHOICE, negatives, SCP_PLAIN, SCP_NEGATIVES_NAMES, "windowed or plain")
 *     struct options { ROWS(SCP_OPTION_FIELD) };
 *
 * Fields: COUNT uint64_t; REAL double; REALS struct scp_reals; FLAG int; CHOICE int, the place of
 * the name among the choices; STRENGTH two floats (scp/views.h). */
#ifndef SCP_OPTIONS_H
#define SCP_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

enum scp_option_type {
    SCP_OPTION_COUNT = 0, /* a whole number */
    SCP_OPTION_REAL,      /* a number */
    SCP_OPTION_REALS,     /* none or several numbers */
    SCP_OPTION_FLAG,      /* 0 or 1 */
    SCP_OPTION_CHOICE,    /* one of several names */
    SCP_OPTION_STRENGTH,  /* of a transform, on each view */
    SCP_OPTION_TYPES
};

#define SCP_OPTION_MAX_REALS 8

struct scp_reals {
    size_t count;
    double value[SCP_OPTION_MAX_REALS];
};

union scp_option_value {
    uint64_t count;     /* COUNT; FLAG, CHOICE: the first value */
    double real;        /* REAL; REALS, STRENGTH: the range */
    double strength[2]; /* STRENGTH: the first values */
};

struct scp_option {
    enum scp_option_type type;
    const char *name, *unit, *meaning;
    const char *choices; /* CHOICE: names in the order of their enum, a space after each */
    union scp_option_value initial, min, max;
    size_t at; /* of its field in the struct, bytes */
};

struct scp_option_table {
    const char *name;
    const struct scp_option *rows;
    size_t count;
    size_t size; /* of the struct, bytes */
};

/* All tables, one per training: count in scp_option_tables_count. */
extern const struct scp_option_table *const scp_option_tables[];
extern const size_t scp_option_tables_count;

/* Every field of `options`, a struct of the table, gets its first value. */
void scp_options_default(void *options, const struct scp_option_table *table);

/* SCP_EINVAL, with the option's name, where a field is not in its range. */
enum scp_status scp_options_check(const struct scp_option_table *table, const void *options,
                                  const struct scp_control *control);

/* ---- what the lists of rows expand to ---- */

#define SCP_OPTION_FIELD(type, name, ...) SCP_OPTION_FIELD_##type(name)
#define SCP_OPTION_FIELD_COUNT(name) uint64_t name;
#define SCP_OPTION_FIELD_REAL(name) double name;
#define SCP_OPTION_FIELD_REALS(name) struct scp_reals name;
#define SCP_OPTION_FIELD_FLAG(name) int name;
#define SCP_OPTION_FIELD_CHOICE(name) int name;

/* Names of choices are listed as N(enumerator, "name"): the enum and the text come from one list.
 */
#define SCP_CHOICE_ENUMERATOR(enumerator, name) enumerator,
#define SCP_CHOICE_NAME(enumerator, name) name " "

#endif
