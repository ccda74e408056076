/* The tables of options, made from the lists of rows in the headers, and what reads them. */
#include "scp/options.h"

#include <string.h>

#include "scp/active.h"
#include "scp/contrast.h"
#include "scp/refine.h"
#include "scp/supervise.h"
#include "scp/transfer.h"

/* A row in the struct ROW_STRUCT, its field in the member ROW_MEMBER. */
#define ROW(type, ...) ROW_##type(__VA_ARGS__)
#define AT(name) offsetof(ROW_STRUCT, ROW_MEMBER name)
#define ROW_COUNT(n, first, least, most, u, m)                                                     \
    {.type = SCP_OPTION_COUNT,                                                                     \
     .name = #n,                                                                                   \
     .unit = u,                                                                                    \
     .meaning = m,                                                                                 \
     .initial.count = first,                                                                       \
     .min.count = least,                                                                           \
     .max.count = most,                                                                            \
     .at = AT(n)},
#define ROW_REAL(n, first, least, most, u, m)                                                      \
    {.type = SCP_OPTION_REAL,                                                                      \
     .name = #n,                                                                                   \
     .unit = u,                                                                                    \
     .meaning = m,                                                                                 \
     .initial.real = first,                                                                        \
     .min.real = least,                                                                            \
     .max.real = most,                                                                             \
     .at = AT(n)},
#define ROW_REALS(n, least, most, u, m)                                                            \
    {.type = SCP_OPTION_REALS,                                                                     \
     .name = #n,                                                                                   \
     .unit = u,                                                                                    \
     .meaning = m,                                                                                 \
     .min.real = least,                                                                            \
     .max.real = most,                                                                             \
     .at = AT(n)},
#define ROW_FLAG(n, first, m)                                                                      \
    {.type = SCP_OPTION_FLAG,                                                                      \
     .name = #n,                                                                                   \
     .unit = "",                                                                                   \
     .meaning = m,                                                                                 \
     .initial.count = first,                                                                       \
     .max.count = 1,                                                                               \
     .at = AT(n)},
#define ROW_CHOICE(n, first, names, m)                                                             \
    {.type = SCP_OPTION_CHOICE,                                                                    \
     .name = #n,                                                                                   \
     .unit = "",                                                                                   \
     .meaning = m,                                                                                 \
     .choices = names(SCP_CHOICE_NAME),                                                            \
     .initial.count = first,                                                                       \
     .at = AT(n)},
#define STRENGTH(e, n, most, image, crop, u, m)                                                    \
    {.type = SCP_OPTION_STRENGTH,                                                                  \
     .name = #n,                                                                                   \
     .unit = u,                                                                                    \
     .meaning = m,                                                                                 \
     .initial.strength = {image, crop},                                                            \
     .max.real = most,                                                                             \
     .at = offsetof(ROW_STRUCT, view.strength[0][SCP_##e])},

#define ROW_STRUCT struct scp_contrast_options
#define CONTRAST_STRENGTH(e, n, most, image, crop, one, u, m)                                      \
    STRENGTH(e, n, most, image, crop, u, m)
static const struct scp_option contrast_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 30)
#undef ROW_MEMBER
#define ROW_MEMBER view.
        SCP_TRANSFORM_ROWS(CONTRAST_STRENGTH) SCP_VIEW_ROWS(ROW)
#undef ROW_MEMBER
#define ROW_MEMBER train.
            SCP_OPTIMISER_ROWS(ROW, 0, 0.5, 1.0 / 6)
#undef ROW_MEMBER
#define ROW_MEMBER
                SCP_CONTRAST_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define ROW_STRUCT struct scp_refine_options
#define REFINE_STRENGTH(e, n, most, image, crop, one, u, m) STRENGTH(e, n, most, one, one, u, m)
static const struct scp_option refine_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 10)
#undef ROW_MEMBER
#define ROW_MEMBER view.
        SCP_TRANSFORM_ROWS(REFINE_STRENGTH) SCP_VIEW_ROWS(ROW)
#undef ROW_MEMBER
#define ROW_MEMBER train.
            SCP_OPTIMISER_ROWS(ROW, 0.02, 0.1, 1.0 / 3)
#undef ROW_MEMBER
#define ROW_MEMBER
                SCP_REFINE_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define ROW_STRUCT struct scp_supervise_options
static const struct scp_option supervise_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 30) SCP_SUPERVISE_TRAIN_ROWS(ROW)
#undef ROW_MEMBER
#define ROW_MEMBER
        SCP_SUPERVISE_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define ROW_STRUCT struct scp_vaal_options
static const struct scp_option vaal_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 0) SCP_ACTIVE_TRAIN_ROWS(ROW, 5e-5)
#undef ROW_MEMBER
#define ROW_MEMBER crop.
        SCP_CROP_ROWS(ROW)
#undef ROW_MEMBER
#define ROW_MEMBER
            SCP_VAAL_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define ROW_STRUCT struct scp_instances_options
static const struct scp_option instances_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 0) SCP_ACTIVE_TRAIN_ROWS(ROW, 5e-4)
#undef ROW_MEMBER
#define ROW_MEMBER crop.
        SCP_CROP_ROWS(ROW)
#undef ROW_MEMBER
#define ROW_MEMBER
            SCP_INSTANCES_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define ROW_STRUCT struct scp_autoencode_options
static const struct scp_option autoencode_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 60) SCP_FACE_TRAIN_ROWS(ROW, 2e-5, 0)
#undef ROW_MEMBER
#define ROW_MEMBER view.
        SCP_FACE_VIEW_ROWS(ROW, 0, 0, 0, 0, 0)
#undef ROW_MEMBER
#define ROW_MEMBER
            SCP_AUTOENCODE_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define ROW_STRUCT struct scp_transfer_options
static const struct scp_option transfer_rows[] = {
#define ROW_MEMBER train.
    SCP_RUN_ROWS(ROW, 10) SCP_FACE_TRAIN_ROWS(ROW, 1e-3, 0.9)
#undef ROW_MEMBER
#define ROW_MEMBER view.
        SCP_FACE_VIEW_ROWS(ROW, 30, 0.04, 0.06, 0.05, 5)
#undef ROW_MEMBER
#define ROW_MEMBER
            SCP_TRANSFER_ROWS(ROW)
#undef ROW_MEMBER
};
#undef ROW_STRUCT

#define LENGTH(rows) (sizeof(rows) / sizeof(rows)[0])

const struct scp_option_table scp_contrast_table = {"train", contrast_rows, LENGTH(contrast_rows),
                                                    sizeof(struct scp_contrast_options)};
const struct scp_option_table scp_refine_table = {"refine", refine_rows, LENGTH(refine_rows),
                                                  sizeof(struct scp_refine_options)};
const struct scp_option_table scp_supervise_table = {
    "supervise", supervise_rows, LENGTH(supervise_rows), sizeof(struct scp_supervise_options)};
const struct scp_option_table scp_vaal_table = {"vaal", vaal_rows, LENGTH(vaal_rows),
                                                sizeof(struct scp_vaal_options)};
const struct scp_option_table scp_instances_table = {
    "instances", instances_rows, LENGTH(instances_rows), sizeof(struct scp_instances_options)};
const struct scp_option_table scp_autoencode_table = {
    "autoencode", autoencode_rows, LENGTH(autoencode_rows), sizeof(struct scp_autoencode_options)};
const struct scp_option_table scp_transfer_table = {
    "transfer", transfer_rows, LENGTH(transfer_rows), sizeof(struct scp_transfer_options)};
const struct scp_option_table *const scp_option_tables[] = {
    &scp_contrast_table,  &scp_refine_table,     &scp_supervise_table, &scp_vaal_table,
    &scp_instances_table, &scp_autoencode_table, &scp_transfer_table};
const size_t scp_option_tables_count = LENGTH(scp_option_tables);

/* A field of the row's type. */
union field {
    void *any;
    uint64_t *count;
    double *real;
    struct scp_reals *reals;
    int *number;     /* FLAG, CHOICE */
    float *strength; /* of the image view; that of the crop view is SCP_TRANSFORMS further */
};

static union field field_of(const void *options, const struct scp_option *row) {
    return (union field){.any = (char *)(uintptr_t)options + row->at};
}

void scp_options_default(void *options, const struct scp_option_table *table) {
    memset(options, 0, table->size);
    for (size_t i = 0; i < table->count; i++) {
        const struct scp_option *row = &table->rows[i];
        const union field f = field_of(options, row);
        switch (row->type) {
        case SCP_OPTION_COUNT:
            *f.count = row->initial.count;
            break;
        case SCP_OPTION_REAL:
            *f.real = row->initial.real;
            break;
        case SCP_OPTION_FLAG:
        case SCP_OPTION_CHOICE:
            *f.number = (int)row->initial.count;
            break;
        case SCP_OPTION_STRENGTH:
            f.strength[0] = (float)row->initial.strength[SCP_VIEW_IMAGE];
            f.strength[SCP_TRANSFORMS] = (float)row->initial.strength[SCP_VIEW_CROP];
            break;
        case SCP_OPTION_REALS:
        case SCP_OPTION_TYPES:
            break;
        }
    }
}

static int names(const char *choices) {
    int count = 0;
    for (; *choices; choices++) count += *choices == ' ';
    return count;
}

static int within(double value, const struct scp_option *row) { /* not a number: no */
    return value >= row->min.real && value <= row->max.real;
}

static int good(const struct scp_option *row, union field f) {
    switch (row->type) {
    case SCP_OPTION_COUNT:
        return *f.count >= row->min.count && *f.count <= row->max.count;
    case SCP_OPTION_REAL:
        return within(*f.real, row);
    case SCP_OPTION_FLAG:
        return *f.number == 0 || *f.number == 1;
    case SCP_OPTION_CHOICE:
        return *f.number >= 0 && *f.number < names(row->choices);
    case SCP_OPTION_STRENGTH: /* a float32 may lie above a range's end that it was rounded from */
        return f.strength[0] >= 0 && f.strength[0] <= (float)row->max.real &&
               f.strength[SCP_TRANSFORMS] >= 0 &&
               f.strength[SCP_TRANSFORMS] <= (float)row->max.real;
    case SCP_OPTION_REALS:
        if (f.reals->count > SCP_OPTION_MAX_REALS) return 0;
        for (size_t i = 0; i < f.reals->count; i++)
            if (!within(f.reals->value[i], row)) return 0;
        return 1;
    case SCP_OPTION_TYPES:
        break;
    }
    return 0;
}

enum scp_status scp_options_check(const struct scp_option_table *table, const void *options,
                                  const struct scp_control *control) {
    for (size_t i = 0; i < table->count; i++)
        if (!good(&table->rows[i], field_of(options, &table->rows[i])))
            return scp_invalid(control, table->rows[i].name, SCP_WHOLE, "must be in its range");
    return SCP_OK;
}
