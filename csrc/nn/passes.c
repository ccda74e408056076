/* Elementwise passes. */
#include "passes.h"

#include <math.h>
#include <string.h>

#include "pass_rows.h"
#include "scp/random.h"

size_t scp_pass_workspace(const struct scp_map *map, size_t threads) {
    const size_t lanes = scp_lanes_up(map->channels);
    const size_t chunks = map->batch * scp_pass_chunks(map);
    const size_t sums = chunks * 2 * lanes * (sizeof(double) / sizeof(float));
    const size_t rows = threads * (map->width + 1) * lanes * 2;
    const size_t taps = 8 * (map->width + map->height + 2);
    return 3 * lanes + SCP_LANES + (sums > rows + taps ? sums : rows + taps);
}

struct scp_pending scp_pass_identity(float *workspace, const struct scp_pending *pending,
                                     size_t channels) {
    if (pending && pending->scale) return *pending;
    const size_t lanes = scp_lanes_up(channels);
    memset(workspace, 0, 3 * lanes * sizeof *workspace);
    for (size_t c = 0; c < channels; c++) workspace[c] = workspace[2 * lanes + c] = 1;
    return (struct scp_pending){workspace, workspace + lanes, workspace + 2 * lanes, 0};
}

struct work {
    const struct scp_map *out, *in;
    struct scp_pending pending;
    const struct scp_pull *pull;
    int accumulate;
    size_t first;
    float weight;
    enum scp_curve curve;
    uint64_t seed, stream;
};

static enum scp_status run(scp_task task, struct work *w, const struct scp_control *control) {
    return scp_parallel(w->out->batch * w->out->height, task, w, control);
}

/* Whole vectors would touch a neighbour. */
static int partial(const struct scp_map *a, const struct scp_map *b) {
    const size_t lanes = scp_lanes_up(a->channels);
    return a->part || b->part || a->stride < lanes || b->stride < lanes;
}
/* Channels to write then: with the padding where there is one. */
static size_t filled(const struct scp_map *out) {
    const size_t lanes = scp_lanes_up(out->channels);
    return out->part || out->stride < lanes ? out->channels : lanes;
}

/* ---- finish ---- */

static enum scp_status finish_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *in = w->in, *out = w->out;
    const size_t b = task / out->height, y = task % out->height;
    const struct scp_pending_row p = scp_pass_of_image(&w->pending, b, 0);
    float *to = scp_map_row(out, b, y);
    const float *from = scp_map_row(in, b, y);
    (void)worker;
    if (!partial(out, in)) {
        scp_nn_kernels()->pending(to, out->stride, from, in->stride, in->width,
                                  scp_lanes_up(in->channels), &p);
        return SCP_OK;
    }
    const size_t width = filled(out);
    for (size_t x = 0; x < in->width; x++)
        for (size_t c = 0; c < width; c++) {
            const float t =
                c < in->channels ? p.scale[c] * from[x * in->stride + c] + p.shift[c] : 0;
            to[x * out->stride + c] = t > 0 ? t : p.slope[c] * t;
        }
    return SCP_OK;
}

enum scp_status scp_pass_finish(const struct scp_map *out, const struct scp_map *in,
                                const struct scp_pending *pending, float *workspace,
                                const struct scp_control *control) {
    struct work w = {
        .out = out, .in = in, .pending = scp_pass_identity(workspace, pending, in->channels)};
    return run(finish_row, &w, control);
}

/* ---- settle ---- */

static enum scp_status settle_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *grad = w->out, *raw = &w->pull->raw;
    const size_t b = task / grad->height, y = task % grad->height;
    const size_t at = b * w->pull->pending.image_step;
    struct scp_pull_row p = {.pending = scp_pass_of_image(&w->pull->pending, b, 0)};
    if (w->pull->a) p.a = w->pull->a + at, p.b = w->pull->b + at, p.c = w->pull->c + at;
    float *row = scp_map_row(grad, b, y);
    (void)worker;
    scp_nn_kernels()->pull(row, grad->stride, row, grad->stride, scp_map_row(raw, b, y),
                           raw->stride, grad->width, scp_lanes_up(grad->channels), &p);
    return SCP_OK;
}

enum scp_status scp_pass_settle(const struct scp_map *grad, const struct scp_pull *pull,
                                const struct scp_control *control) {
    if (!pull->raw.data) return SCP_OK;
    struct work w = {.out = grad, .pull = pull};
    return run(settle_row, &w, control);
}

/* ---- add, zero ---- */

static enum scp_status add_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *in = w->in, *out = w->out;
    const size_t b = task / out->height, y = task % out->height;
    float *to = scp_map_row(out, b, y);
    const float *from = scp_map_row(in, b, y);
    (void)worker;
    if (!partial(out, in)) {
        scp_nn_kernels()->passes.add(to, out->stride, w->accumulate, from, in->stride, w->weight,
                                     out->width, scp_lanes_up(out->channels));
        return SCP_OK;
    }
    const size_t width = filled(out);
    for (size_t x = 0; x < out->width; x++)
        for (size_t c = 0; c < width; c++) {
            const float v = c < in->channels ? w->weight * from[x * in->stride + c] : 0;
            float *t = to + x * out->stride + c;
            *t = w->accumulate ? *t + v : v;
        }
    return SCP_OK;
}

enum scp_status scp_pass_add(const struct scp_map *out, int accumulate, const struct scp_map *in,
                             float weight, const struct scp_control *control) {
    struct work w = {.out = out, .in = in, .accumulate = accumulate, .weight = weight};
    return run(add_row, &w, control);
}

static enum scp_status zero_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t n = scp_lanes_up(w->out->channels) - w->first;
    float *row = scp_map_row(w->out, task / w->out->height, task % w->out->height) + w->first;
    (void)worker;
    for (size_t x = 0; x < w->out->width; x++) memset(row + x * w->out->stride, 0, n * sizeof *row);
    return SCP_OK;
}

enum scp_status scp_pass_zero(const struct scp_map *out, size_t first,
                              const struct scp_control *control) {
    struct work w = {.out = out, .first = first};
    return run(zero_row, &w, control);
}

/* ---- sigmoid, tanh ---- */

static enum scp_status curve_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t b = task / w->out->height, y = task % w->out->height;
    finish_row(context, task, worker);
    float *row = scp_map_row(w->out, b, y);
    for (size_t x = 0; x < w->out->width; x++)
        for (size_t c = 0; c < w->out->channels; c++) {
            float *v = row + x * w->out->stride + c;
            *v = w->curve == SCP_SIGMOID ? 1 / (1 + expf(-*v)) : tanhf(*v);
        }
    return SCP_OK;
}

enum scp_status scp_pass_curve(const struct scp_map *out, const struct scp_map *in,
                               const struct scp_pending *pending, enum scp_curve curve,
                               float *workspace, const struct scp_control *control) {
    struct work w = {.out = out,
                     .in = in,
                     .pending = scp_pass_identity(workspace, pending, in->channels),
                     .curve = curve};
    return run(curve_row, &w, control);
}

struct curve_pull {
    const struct scp_map *in_grad, *out_grad, *out;
    int accumulate;
    enum scp_curve curve;
};

static enum scp_status curve_pull_row(void *context, size_t task, size_t worker) {
    const struct curve_pull *w = context;
    const size_t b = task / w->out->height, y = task % w->out->height;
    float *to = scp_map_row(w->in_grad, b, y);
    const float *g = scp_map_row(w->out_grad, b, y), *v = scp_map_row(w->out, b, y);
    const size_t lanes = scp_lanes_up(w->out->channels);
    (void)worker;
    for (size_t x = 0; x < w->out->width; x++)
        for (size_t c = 0; c < lanes; c++) {
            const float s = v[x * w->out->stride + c];
            const float slope = w->curve == SCP_SIGMOID ? s * (1 - s) : 1 - s * s;
            const float d = c < w->out->channels ? g[x * w->out_grad->stride + c] * slope : 0;
            float *t = to + x * w->in_grad->stride + c;
            *t = w->accumulate ? *t + d : d;
        }
    return SCP_OK;
}

enum scp_status scp_pass_curve_pull(const struct scp_map *in_grad, int accumulate,
                                    const struct scp_map *out_grad, const struct scp_map *out,
                                    enum scp_curve curve, const struct scp_control *control) {
    struct curve_pull w = {in_grad, out_grad, out, accumulate, curve};
    return scp_parallel(out->batch * out->height, curve_pull_row, &w, control);
}

/* ---- dropout ---- */

static enum scp_status dropout_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *in = w->in, *out = w->out;
    const size_t b = task / out->height, y = task % out->height;
    const struct scp_pending_row p = scp_pass_of_image(&w->pending, b, 0);
    const float *from = scp_map_row(in, b, y), keep = 1 / (1 - w->weight);
    float *to = scp_map_row(out, b, y);
    struct scp_rng rng;
    (void)worker;
    scp_rng_init(&rng, w->seed, w->stream + task);
    for (size_t x = 0; x < out->width; x++)
        for (size_t c = 0; c < scp_lanes_up(out->channels); c++) {
            float v = 0;
            if (c < out->channels && (float)(scp_rng_u32(&rng) >> 8) * 0x1p-24f >= w->weight) {
                const float t = p.scale[c] * from[x * in->stride + c] + p.shift[c];
                v = keep * (t > 0 ? t : p.slope[c] * t);
            }
            float *o = to + x * out->stride + c;
            *o = w->accumulate ? *o + v : v;
        }
    return SCP_OK;
}

enum scp_status scp_pass_dropout(const struct scp_map *out, int accumulate,
                                 const struct scp_map *in, const struct scp_pending *pending,
                                 float rate, uint64_t seed, uint64_t stream, float *workspace,
                                 const struct scp_control *control) {
    struct work w = {.out = out,
                     .in = in,
                     .pending = scp_pass_identity(workspace, pending, in->channels),
                     .accumulate = accumulate,
                     .weight = rate,
                     .seed = seed,
                     .stream = stream};
    return run(dropout_row, &w, control);
}
