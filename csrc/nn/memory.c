/* Where the values of a plan lie: one slab, in which buffers that are never alive together share
 * their floats. Greedy: the largest buffer first, each at the lowest place free over its life. */
#include <stdlib.h>
#include <string.h>

#include "passes.h"
#include "plan.h"
#include "scp/alloc.h"

struct buffer {
    size_t value;
    int gradient;
    size_t floats, first, last, offset;
};

static int larger(const void *a, const void *b) {
    const struct buffer *x = a, *y = b;
    if (x->floats != y->floats) return x->floats < y->floats ? 1 : -1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return x->value != y->value ? (x->value < y->value ? -1 : 1) : x->gradient - y->gradient;
}

static int map_floats(size_t *floats, const struct scp_map *map) {
    size_t pixels;
    return scp_size_mul(map->batch * map->height, map->width, &pixels) ||
           scp_size_mul(pixels, map->stride, floats) || *floats > SIZE_MAX / 16;
}

/* First and last step that touch the memory of a root. */
static void reach(const struct scp_plan *plan, size_t root, size_t *first, size_t *last) {
    *first = plan->n_steps;
    *last = 0;
    for (size_t v = 0; v < plan->n_values; v++) {
        const struct scp_value *value = plan->values + v;
        if (value->root != root) continue;
        if (value->step < *first) *first = value->step;
        if (value->last_use > *last) *last = value->last_use;
        if (value->step > *last) *last = value->step;
    }
}

static size_t list(struct buffer *buffers, const struct scp_plan *plan, int *overflow) {
    const size_t end = plan->n_steps;
    size_t n = 0;
    for (size_t v = 1; v < plan->n_values; v++) { /* value 0 is the caller's */
        const struct scp_value *value = plan->values + v;
        if (value->root != v) continue;
        size_t first, last, floats;
        reach(plan, v, &first, &last);
        *overflow |= map_floats(&floats, &value->map);
        const size_t until = plan->train || value->is_output ? 2 * end - first : last;
        buffers[n++] = (struct buffer){v, 0, floats, first, until, 0};
        if (!plan->train) continue;
        const size_t from = value->is_output || value->zero_first ? end : 2 * end - last;
        buffers[n++] = (struct buffer){v, 1, floats, from, 2 * end - first, 0};
    }
    return n;
}

/* Lowest offset of buffer i that does not meet the placed buffers 0 .. i-1 alive with it. */
static size_t place(const struct buffer *buffers, size_t i) {
    size_t offset = 0;
    for (int moved = 1; moved;) {
        moved = 0;
        for (size_t j = 0; j < i; j++) {
            const struct buffer *a = buffers + i, *b = buffers + j;
            if (a->first <= b->last && b->first <= a->last && offset < b->offset + b->floats &&
                b->offset < offset + a->floats) {
                offset = b->offset + b->floats;
                moved = 1;
            }
        }
    }
    return offset;
}

static size_t coefs_floats(const struct scp_plan *plan, const struct scp_value *value) {
    return (plan->train ? SCP_COEFS : SCP_SLOPE + 1) * value->images * value->map.stride;
}

static size_t workspace(const struct scp_plan *plan, size_t threads) {
    size_t most = 0;
    for (size_t s = 0; s < plan->n_steps; s++) {
        const struct scp_step *step = plan->steps + s;
        const struct scp_map *out = &plan->values[step->value].map;
        size_t floats = scp_pass_workspace(out, threads);
        if (step->op == SCP_STEP_CONV) {
            const struct scp_conv conv = scp_layer_conv(plan->graph, step->layer);
            const struct scp_map *in = &plan->values[step->inputs[0]].map;
            const size_t need =
                scp_conv_workspace(&conv, plan->batch, in->height, in->width, plan->train, threads);
            floats = need > floats ? need : floats;
        }
        most = floats > most ? floats : most;
    }
    return most;
}

enum scp_status scp_plan_layout(struct scp_plan *plan) {
    struct buffer *buffers = scp_alloc(2 * plan->n_values, sizeof *buffers);
    if (!buffers) return SCP_ENOMEM;
    int overflow = 0;
    const size_t n = list(buffers, plan, &overflow);
    if (overflow) goto fail;
    qsort(buffers, n, sizeof *buffers, larger);
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        struct buffer *b = buffers + i;
        b->offset = place(buffers, i);
        if (b->offset + b->floats > total) total = b->offset + b->floats;
        struct scp_value *value = plan->values + b->value;
        *(b->gradient ? &value->grad_offset : &value->offset) = b->offset;
    }
    plan->slab_floats = total;
    for (size_t v = 0; v < plan->n_values; v++)
        if (plan->values[v].root == v && plan->values[v].pending)
            plan->slab_floats += coefs_floats(plan, plan->values + v);
    plan->threads = scp_threads();
    plan->workspace_floats = workspace(plan, plan->threads);
    if (plan->workspace_floats > SIZE_MAX / 16 || plan->slab_floats > SIZE_MAX / 16) goto fail;
    scp_free(buffers);
    return SCP_OK;
fail:
    scp_free(buffers);
    return SCP_ENOMEM;
}

/* The identity everywhere, then the slope of what is active; norms are written when they run. */
static void start_coefs(struct scp_value *v, const struct scp_value *root) {
    v->images = root->images;
    v->coef_step = root->images * root->map.stride;
    v->image_step = root->images > 1 ? root->map.stride : 0;
    v->coefs = root->coefs + v->first_channel;
    for (size_t b = 0; b < v->images; b++)
        for (size_t c = 0; c < v->map.channels; c++) {
            scp_value_coef(v, SCP_SCALE)[b * v->image_step + c] = 1;
            scp_value_coef(v, SCP_SLOPE)[b * v->image_step + c] = v->active ? v->slope : 1;
        }
}

enum scp_status scp_plan_bind(struct scp_plan *plan) {
    plan->slab = scp_calloc(plan->slab_floats + SCP_LANES, sizeof *plan->slab);
    if (!plan->slab) return SCP_ENOMEM;
    float *coefs = plan->slab + plan->slab_floats;
    for (size_t v = 0; v < plan->n_values; v++) {
        struct scp_value *value = plan->values + v;
        if (value->root != v || v == 0) continue;
        value->map.data = plan->slab + value->offset;
        value->grad.data = plan->train ? plan->slab + value->grad_offset : NULL;
        if (value->pending) {
            coefs -= coefs_floats(plan, value);
            value->coefs = coefs;
            start_coefs(value, value);
        }
    }
    for (size_t v = 1; v < plan->n_values; v++) {
        struct scp_value *value = plan->values + v;
        const struct scp_value *root = plan->values + value->root;
        if (value->root == v) continue;
        value->map.data = root->map.data + value->first_channel;
        value->map.stride = value->grad.stride = root->map.stride;
        if (plan->train) value->grad.data = root->grad.data + value->first_channel;
        if (value->pending) start_coefs(value, root);
    }
    size_t most = 0;
    for (size_t v = 0; v < plan->n_values; v++) {
        const struct scp_value *value = plan->values + v;
        const size_t n = plan->batch * scp_lanes_up(value->map.channels);
        if (value->norm && n > most) most = n;
    }
    plan->statistics = scp_alloc(2 * most, sizeof *plan->statistics);
    return plan->statistics ? scp_plan_reserve(plan) : SCP_ENOMEM;
}

enum scp_status scp_plan_reserve(struct scp_plan *plan) {
    const size_t threads = scp_threads();
    if (plan->workspace && threads <= plan->threads) return SCP_OK;
    if (threads > plan->threads) {
        plan->threads = threads;
        plan->workspace_floats = workspace(plan, threads);
    }
    scp_free(plan->workspace);
    plan->workspace = NULL;
    if (plan->workspace_floats > SIZE_MAX / 16) return SCP_ENOMEM;
    plan->workspace = scp_alloc(plan->workspace_floats + SCP_LANES, sizeof *plan->workspace);
    return plan->workspace ? SCP_OK : SCP_ENOMEM;
}
