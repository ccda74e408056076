/* Similarities of vectors (scp/vectors.h): a task keeps a block of one side, packed, and meets the
 * other side strip by strip. */
#include "scp/vectors.h"

#include <math.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"

#define STRIP 48  /* vectors of the other side at once */
#define WIDTH 128 /* vectors of a block: packed, they stay in the second-level cache */
#define PARTS 32  /* sums of their own, where each pair is made once */
#define DEPTH 256 /* dimensions at once: of two panels, they stay in the first level */

struct products {
    const float *kept, *passing; /* sides of a task */
    size_t kept_count, passing_count, dimensions;
    float gamma;
    float *squares;                /* [kept], [passing]; of lengths, for gamma > 0 */
    float *scratch;                /* of all threads */
    const float *floors, *weights; /* [sets][passing], [passing] */
    size_t sets;
    double *excess; /* [sets][kept] */
    double *across; /* [parts][sets][kept]; one array is both sides; else NULL */
    size_t parts;   /* tasks */
    const struct scp_control *control;
    float *values; /* [passing][kept] */
};

/* Of a thread: sums, the packed block, a tile, and the squares of the block. */
static size_t scratch_floats(const struct products *p) {
    return 2 * WIDTH * p->sets + WIDTH * p->dimensions + STRIP * WIDTH + WIDTH;
}

static void pack(float *packed, const struct products *p, size_t first, size_t count) {
    for (size_t panel = 0; 16 * panel < count; panel++)
        scp_kernels()->maps.pack_transposed(packed + panel * 16 * p->dimensions,
                                            p->kept + first * p->dimensions, p->dimensions, count,
                                            panel);
}

/* tile[rows][WIDTH] = k of a strip of the passing side and the packed block. */
static void fill(float *tile, const struct products *p, const float *packed, const float *squares,
                 size_t first, size_t rows) {
    static const size_t none[1] = {0};
    static const float zeros[WIDTH] = {0};
    const size_t d = p->dimensions;
    for (size_t k = 0; k < d; k += DEPTH) {
        const struct scp_gemm_form form = {.offsets = none,
                                           .count = 1,
                                           .length = d - k < DEPTH ? d - k : DEPTH,
                                           .a_row = d,
                                           .a_step = 1,
                                           .panels = WIDTH / 16,
                                           .b_panel = 16 * d,
                                           .c_row = WIDTH,
                                           .c_panel = 16};
        scp_kernels()->gemm.multiply(tile, p->passing + first * d + k, rows, packed + 16 * k, &form,
                                     k ? NULL : zeros);
    }
    if (p->gamma > 0)
        scp_kernels()->affinity.rbf(tile, rows, WIDTH, p->gamma, p->squares + p->kept_count + first,
                                    squares);
    else
        scp_kernels()->affinity.cosine(tile, rows, WIDTH);
}

/* A strip of the passing side and the block that begins at `first`, to where it goes. */
static void use(const struct products *p, const float *tile, double *sums, size_t first,
                size_t count, size_t at, size_t rows) {
    for (size_t i = 0; p->values && i < rows; i++)
        memcpy(p->values + (at + i) * p->kept_count + first, tile + i * WIDTH,
               count * sizeof *tile);
    for (size_t set = 0; set < p->sets; set++)
        scp_kernels()->affinity.excess(sums + set * WIDTH, tile, rows, WIDTH,
                                       p->floors + set * p->passing_count + at, p->weights + at);
}

/* A strip of rows behind the block, of the same vectors: the block's columns count for them too. */
static void use_across(const struct products *p, const float *tile, size_t part, size_t first,
                       size_t count, size_t at, size_t rows) {
    float weights[WIDTH] = {0}, floors[WIDTH] = {0};
    memcpy(weights, p->weights + first, count * sizeof *weights);
    for (size_t set = 0; set < p->sets; set++) {
        memcpy(floors, p->floors + set * p->kept_count + first, count * sizeof *floors);
        scp_kernels()->affinity.excess_across(p->across + (part * p->sets + set) * p->kept_count +
                                                  at,
                                              tile, rows, WIDTH, floors, weights);
    }
}

static void run_block(const struct products *p, size_t block, size_t part, float *scratch) {
    double *sums = (double *)(void *)scratch;
    float *packed = (float *)(void *)(sums + WIDTH * p->sets);
    float *tile = packed + WIDTH * p->dimensions, *squares = tile + STRIP * WIDTH;
    const size_t first = block * WIDTH, left = p->kept_count - first;
    const size_t count = left < WIDTH ? left : WIDTH, end = first + count;
    memset(sums, 0, WIDTH * p->sets * sizeof *sums);
    memset(packed, 0, WIDTH * p->dimensions * sizeof *packed);
    memset(squares, 0, WIDTH * sizeof *squares);
    pack(packed, p, first, count);
    if (p->squares) memcpy(squares, p->squares + first, count * sizeof *squares);
    for (size_t at = p->across ? first : 0, rows; at < p->passing_count; at += rows) {
        const size_t limit = p->across && at < end ? end : p->passing_count;
        rows = limit - at < STRIP ? limit - at : STRIP;
        fill(tile, p, packed, squares, at, rows);
        use(p, tile, sums, first, count, at, rows);
        if (p->across && at >= end) use_across(p, tile, part, first, count, at, rows);
    }
    for (size_t set = 0; set < p->sets; set++)
        memcpy(p->excess + set * p->kept_count + first, sums + set * WIDTH, count * sizeof *sums);
}

/* Every parts-th block. */
static enum scp_status run_part(void *context, size_t task, size_t worker) {
    const struct products *p = context;
    const size_t blocks = (p->kept_count + WIDTH - 1) / WIDTH;
    for (size_t block = task; block < blocks; block += p->parts) {
        if (scp_poll(p->control, task, p->parts) != SCP_OK) return SCP_EINTERRUPTED;
        run_block(p, block, task, p->scratch + worker * scratch_floats(p));
    }
    return SCP_OK;
}

static void lengths(float *squares, const float *vectors, size_t count, size_t dimensions) {
    for (size_t i = 0; i < count; i++, vectors += dimensions) {
        double sum = 0;
        for (size_t k = 0; k < dimensions; k++) sum += (double)vectors[k] * (double)vectors[k];
        squares[i] = (float)sum;
    }
}

static enum scp_status allocate(struct products *p, int same) {
    const size_t blocks = (p->kept_count + WIDTH - 1) / WIDTH;
    p->parts = same && blocks > PARTS ? PARTS : blocks;
    p->scratch = scp_alloc(scratch_floats(p), scp_threads() * sizeof *p->scratch);
    if (p->gamma > 0) {
        p->squares = scp_alloc(p->kept_count + p->passing_count, sizeof *p->squares);
        if (!p->squares) return SCP_ENOMEM;
        lengths(p->squares, p->kept, p->kept_count, p->dimensions);
        lengths(p->squares + p->kept_count, p->passing, p->passing_count, p->dimensions);
    }
    if (same) {
        p->across = scp_calloc(p->kept_count, p->parts * p->sets * sizeof *p->across);
        if (!p->across) return SCP_ENOMEM;
    }
    return p->scratch ? SCP_OK : SCP_ENOMEM;
}

static enum scp_status run(struct products *p, double gamma, const struct scp_control *control) {
    const int same = p->sets && p->kept == p->passing && p->kept_count == p->passing_count;
    if (!(gamma >= 0 && gamma <= 1e30))
        return scp_invalid(control, "gamma", SCP_WHOLE, "must be 0 to 1e30");
    p->gamma = (float)gamma;
    p->control = control;
    enum scp_status status = allocate(p, same);
    if (status == SCP_OK) status = scp_parallel(p->parts, run_part, p, control);
    for (size_t part = 0; status == SCP_OK && same && part < p->parts; part++)
        for (size_t i = 0; i < p->sets * p->kept_count; i++)
            p->excess[i] += p->across[part * p->sets * p->kept_count + i];
    scp_free(p->across);
    scp_free(p->squares);
    scp_free(p->scratch);
    return status;
}

enum scp_status scp_vectors_values(float *values, const struct scp_vectors *v,
                                   const struct scp_control *control) {
    struct products p = {.kept = v->right,
                         .passing = v->left,
                         .kept_count = v->columns,
                         .passing_count = v->rows,
                         .dimensions = v->dimensions,
                         .values = values};
    return run(&p, v->gamma, control);
}

enum scp_status scp_vectors_excess(double *excess, const struct scp_vectors *v, const float *floors,
                                   size_t sets, const float *weights,
                                   const struct scp_control *control) {
    struct products p = {.kept = v->left,
                         .passing = v->right,
                         .kept_count = v->rows,
                         .passing_count = v->columns,
                         .dimensions = v->dimensions,
                         .floors = floors,
                         .sets = sets,
                         .weights = weights,
                         .excess = excess};
    return run(&p, v->gamma, control);
}
