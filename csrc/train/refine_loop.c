#include "../nn/graph.h"
#include "scp/alloc.h"
#include "scp/refine.h"
#include "steps.h"

struct scp_refiner {
    const struct scp_graph *graph;
    struct scp_pool pool;
    struct scp_labels labels;
    struct scp_refine_options options;
    struct scp_adam_options adam;
    struct scp_plan *plan;
    struct scp_output map;
    struct scp_refine_batch batch;
    float *gradients;
    size_t items, parameters;
};

/* What sampling and the objective hold for a moment, at most. */
static size_t scratch(const struct scp_pool *pool, size_t items, size_t landmarks) {
    const size_t view = 2 * pool->height * pool->width + 2 * pool->width;
    const size_t rows = items * pool->height;
    return scp_threads() * view * sizeof(float) + pool->count * sizeof(uint32_t) +
           rows * (SCP_REFINE_LOSSES * sizeof(double) + landmarks * sizeof(uint32_t));
}

enum scp_status scp_refiner_create(struct scp_refiner **out, size_t *bytes, size_t *bad,
                                   const struct scp_graph *graph, const struct scp_pool *pool,
                                   const struct scp_labels *labels,
                                   const struct scp_refine_options *o,
                                   const struct scp_adam_options *adam) {
    const size_t channels = graph->channels[0], parameters = scp_graph_parameters(graph);
    size_t plan_bytes = 0;
    *bad = SIZE_MAX;
    enum scp_status status = scp_refine_check(o, pool, labels);
    if (status != SCP_OK) return status;
    if (scp_graph_outputs(graph) != 1 || (channels != 1 && channels != 3)) return SCP_EINVAL;

    const size_t items = o->labelled + o->pseudo, points = items * labels->landmarks;
    const size_t images = items * pool->height * pool->width * channels;
    struct scp_refiner *r = scp_calloc(1, sizeof *r);
    if (!r) return SCP_ENOMEM;
    *r = (struct scp_refiner){.graph = graph,
                              .pool = *pool,
                              .labels = *labels,
                              .options = *o,
                              .adam = *adam,
                              .items = items,
                              .parameters = parameters};
    status = scp_plan_create(out ? &r->plan : NULL, &plan_bytes, bad, graph, items, pool->height,
                             pool->width, SCP_PLAN_TRAIN);
    if (status != SCP_OK) goto done;
    *bytes = plan_bytes + sizeof *r + (images + 3 * points + parameters) * sizeof(float) +
             items * sizeof(uint32_t) + scratch(pool, items, labels->landmarks);
    if (!out) goto done;
    *bad = SIZE_MAX;
    scp_plan_output(&r->map, r->plan, 0);
    status = SCP_EINVAL;
    if (r->map.channels != 3 * labels->landmarks || pool->height % r->map.height ||
        pool->width % r->map.width || pool->height / r->map.height != pool->width / r->map.width)
        goto done;
    status = SCP_ENOMEM;
    r->batch.channels = channels;
    r->batch.images = scp_alloc(images, sizeof(float));
    r->batch.points = scp_alloc(points, 2 * sizeof(float));
    r->batch.weights = scp_alloc(points, sizeof(float));
    r->batch.sources = scp_alloc(items, sizeof(uint32_t));
    r->gradients = scp_alloc(parameters, sizeof(float));
    if (!r->batch.images || !r->batch.points || !r->batch.weights || !r->batch.sources ||
        !r->gradients)
        goto done;
    *out = r;
    return SCP_OK;
done:
    scp_refiner_free(r);
    return status;
}

void scp_refiner_free(struct scp_refiner *r) {
    if (!r) return;
    scp_plan_free(r->plan);
    scp_free(r->batch.images);
    scp_free(r->batch.points);
    scp_free(r->batch.weights);
    scp_free(r->batch.sources);
    scp_free(r->gradients);
    scp_free(r);
}

static enum scp_status forward(void *self, double *losses, const float *parameters, float *state,
                               uint64_t step, const struct scp_control *control) {
    struct scp_refiner *r = self;
    const struct scp_refine_options *o = &r->options;
    enum scp_status status = scp_refine_sample(&r->batch, &r->pool, &r->labels, o, step, control);
    if (status == SCP_OK)
        status =
            scp_plan_forward(r->plan, parameters, state, r->batch.images, o->seed, step, control);
    if (status != SCP_OK) return status;
    return scp_refine_objective(losses, &r->map, r->batch.points, r->batch.weights, r->items,
                                r->labels.landmarks, r->pool.height, r->pool.width, o->radius,
                                o->focal, control);
}

static enum scp_status backward(void *self, float *gradients, const float *parameters,
                                const struct scp_control *control) {
    struct scp_refiner *r = self;
    return scp_plan_backward(r->plan, gradients, NULL, parameters, control);
}

enum scp_status scp_refiner_run(struct scp_refiner *r, double *losses, size_t *done,
                                float *parameters, float *state, float *m, float *v, uint64_t first,
                                const double *rates, size_t count,
                                const struct scp_control *control) {
    const struct train_steps steps = {
        r, forward, backward, SCP_REFINE_LOSSES, r->parameters, r->gradients, &r->adam};
    return train_steps(&steps, losses, done, parameters, state, m, v, first, rates, count, control);
}
