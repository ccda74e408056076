/* The slab of a plan: the largest buffer first, each at the lowest free place. */
#include "memory.h"

#include <stdlib.h>

#include "reduce.h"
#include "resample.h"
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

/* First and last stage that touch the memory of a root. */
static void lifetime(const struct scp_plan *plan, size_t root, size_t *first, size_t *last) {
    *first = plan->n_stages;
    *last = 0;
    for (size_t v = 0; v < plan->n_values; v++) {
        const struct scp_value *value = plan->values + v;
        if (value->root != root) continue;
        *first = scp_min(*first, value->stage);
        *last = scp_max(*last, scp_max(value->stage, value->last_use));
    }
}

static size_t list_buffers(struct buffer *buffers, const struct scp_plan *plan, int *overflow) {
    const size_t end = plan->n_stages;
    size_t n = 0;
    for (size_t v = 1; v < plan->n_values; v++) { /* value 0 is the caller's */
        const struct scp_value *value = plan->values + v;
        if (value->root != v) continue;
        size_t first, last;
        lifetime(plan, v, &first, &last);
        const struct scp_map *m = &value->map;
        const size_t floats = m->batch * m->height * m->width * m->stride;
        *overflow |= (double)m->batch * (double)(m->height * m->width) * (double)m->stride > 1e18;
        const size_t until = plan->train || value->is_output ? 2 * end - first : last;
        buffers[n++] = (struct buffer){v, 0, floats, first, until, 0};
        if (!plan->train) continue;
        const size_t from = value->is_output || value->zero_first ? end : 2 * end - last;
        buffers[n++] = (struct buffer){v, 1, floats, from, 2 * end - first, 0};
    }
    return n;
}

/* Lowest offset of buffer i that does not meet the placed buffers 0 .. i-1 alive with it. */
static size_t lowest_offset(const struct buffer *buffers, size_t i) {
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
    size_t floats = 0;
    for (size_t s = 0; s < plan->n_stages; s++) {
        const struct scp_stage *stage = plan->stages + s;
        const struct scp_map *out = &plan->values[stage->value].map;
        floats = scp_max(floats, scp_reduce_workspace(out));
        floats = scp_max(floats, scp_resample_workspace(out, threads));
        if (stage->op == SCP_OP_AVERAGE_POOL)
            floats = scp_max(floats,
                             scp_resample_workspace(&plan->values[stage->inputs[0]].map, threads));
        if (stage->op != SCP_OP_CONV && stage->op != SCP_OP_TRANSPOSED) continue;
        const struct scp_conv conv = scp_layer_conv(plan->graph, stage->layer);
        const struct scp_map *in = &plan->values[stage->inputs[0]].map;
        floats = scp_max(floats, scp_conv_workspace(&conv, plan->batch, in->height, in->width,
                                                    plan->train, threads));
    }
    return floats;
}

enum scp_status scp_plan_layout(struct scp_plan *plan) {
    struct buffer *buffers = scp_alloc(2 * plan->n_values, sizeof *buffers);
    if (!buffers) return SCP_ENOMEM;
    int overflow = 0;
    const size_t n = list_buffers(buffers, plan, &overflow);
    qsort(buffers, n, sizeof *buffers, larger);
    for (size_t i = 0; i < n && !overflow; i++) {
        struct buffer *b = buffers + i;
        struct scp_value *value = plan->values + b->value;
        b->offset = lowest_offset(buffers, i);
        *(b->gradient ? &value->grad_offset : &value->offset) = b->offset;
        plan->slab_floats = scp_max(plan->slab_floats, b->offset + b->floats);
    }
    scp_free(buffers);
    if (overflow) return SCP_ENOMEM;
    for (size_t v = 0; v < plan->n_values; v++)
        if (plan->values[v].root == v && plan->values[v].deferred)
            plan->slab_floats += coefs_floats(plan, plan->values + v);
    plan->threads = scp_threads();
    plan->workspace_floats = workspace(plan, plan->threads);
    return scp_max(plan->workspace_floats, plan->slab_floats) > SIZE_MAX / 16 ? SCP_ENOMEM : SCP_OK;
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
    size_t statistics = 0;
    for (size_t v = 0; v < plan->n_values; v++) {
        struct scp_value *value = plan->values + v;
        if (value->norm)
            statistics = scp_max(statistics, plan->batch * scp_lanes_up(value->map.channels));
        if (value->root != v || v == 0) continue;
        value->map.data = plan->slab + value->offset;
        value->grad.data = plan->train ? plan->slab + value->grad_offset : NULL;
        if (value->deferred) {
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
        if (value->deferred) start_coefs(value, root);
    }
    plan->statistics = scp_alloc(2 * statistics, sizeof *plan->statistics);
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
