#include "../nn/graph.h"
#include "scp/alloc.h"
#include "scp/train.h"
#include "steps.h"

struct scp_trainer {
    const struct scp_graph *graph;
    struct scp_pool pool;
    struct scp_train_options options;
    struct scp_plan *plan[SCP_VIEWS];
    struct scp_output outputs[SCP_VIEWS][SCP_TRAIN_MAX_LEVELS];
    struct scp_batch batch;
    float *gradients;
    size_t levels, parameters;
};

struct sizes {
    size_t images, crops, pairs, parameters; /* floats, floats, pairs, floats */
};

/* What sampling and the objective hold for a moment, at most: cells are not more than pixels. */
static size_t scratch(const struct scp_graph *graph, const struct scp_pool *pool, size_t batch) {
    size_t channels = 0;
    for (size_t i = 0; i < graph->count; i++)
        if (graph->layers[i].output && graph->channels[i] > channels) channels = graph->channels[i];
    const size_t per_thread = 5 * pool->height * pool->width + 2 * (channels + 16);
    const size_t sums = SCP_TRAIN_MAX_LEVELS * batch + scp_graph_parameters(graph) / 1024;
    return scp_threads() * (per_thread + 2 * pool->width) * sizeof(float) + sums * sizeof(double);
}

static enum scp_status size_up(struct sizes *sizes, size_t *bytes, const struct scp_graph *graph,
                               const struct scp_pool *pool, const struct scp_sample_options *o) {
    const size_t channels = graph->channels[0];
    size_t total = 0;
    sizes->images = o->batch * pool->height * pool->width * channels;
    sizes->crops = o->batch * o->crop * o->crop * channels;
    sizes->pairs = o->batch * o->points;
    sizes->parameters = scp_graph_parameters(graph);
    total += (sizes->images + sizes->crops + sizes->parameters) * sizeof(float);
    total += sizes->pairs * 2 * (sizeof(int32_t) + sizeof(float));
    total += (o->batch + pool->count) * sizeof(uint32_t);
    total += scratch(graph, pool, o->batch) + sizeof(struct scp_trainer);
    *bytes = total;
    return channels == 1 || channels == 3 ? SCP_OK : SCP_EINVAL;
}

enum scp_status scp_train_create(struct scp_trainer **out, size_t *bytes, size_t *bad,
                                 const struct scp_graph *graph, const struct scp_pool *pool,
                                 const struct scp_train_options *options) {
    const struct scp_sample_options *o = &options->sample;
    const size_t levels = scp_graph_outputs(graph);
    struct sizes sizes;
    size_t plan_bytes[SCP_VIEWS] = {0};
    *bad = SIZE_MAX;
    enum scp_status status = scp_sample_check(o, pool);
    if (status != SCP_OK) return status;
    if (levels < 1 || levels > SCP_TRAIN_MAX_LEVELS) return SCP_EINVAL;
    status = size_up(&sizes, bytes, graph, pool, o);
    if (status != SCP_OK) return status;

    struct scp_trainer *t = scp_calloc(1, sizeof *t);
    if (!t) return SCP_ENOMEM;
    *t = (struct scp_trainer){.graph = graph,
                              .pool = *pool,
                              .options = *options,
                              .levels = levels,
                              .parameters = sizes.parameters};
    for (int view = 0; view < SCP_VIEWS; view++) {
        const size_t height = view == SCP_VIEW_CROP ? o->crop : pool->height;
        const size_t width = view == SCP_VIEW_CROP ? o->crop : pool->width;
        status = scp_plan_create(out ? &t->plan[view] : NULL, &plan_bytes[view], bad, graph,
                                 o->batch, height, width, SCP_PLAN_TRAIN);
        if (status != SCP_OK) goto done;
        *bytes += plan_bytes[view];
    }
    if (!out) goto done;
    *bad = SIZE_MAX;
    for (int view = 0; view < SCP_VIEWS; view++)
        for (size_t d = 0; d < levels; d++) scp_plan_output(&t->outputs[view][d], t->plan[view], d);
    status = SCP_EINVAL;
    for (size_t d = 1; d < levels; d++)
        if (t->outputs[0][d].height < t->outputs[0][d - 1].height) goto done;
    status = SCP_ENOMEM;
    t->batch.channels = graph->channels[0];
    t->batch.images = scp_alloc(sizes.images, sizeof(float));
    t->batch.crops = scp_alloc(sizes.crops, sizeof(float));
    t->batch.crop_points = scp_alloc(sizes.pairs, 2 * sizeof(int32_t));
    t->batch.image_points = scp_alloc(sizes.pairs, 2 * sizeof(float));
    t->batch.sources = scp_alloc(o->batch, sizeof(uint32_t));
    t->gradients = scp_alloc(sizes.parameters, sizeof(float));
    if (!t->batch.images || !t->batch.crops || !t->batch.crop_points || !t->batch.image_points ||
        !t->batch.sources || !t->gradients)
        goto done;
    *out = t;
    return SCP_OK;
done:
    scp_train_free(t);
    return status;
}

void scp_train_free(struct scp_trainer *t) {
    if (!t) return;
    for (int view = 0; view < SCP_VIEWS; view++) scp_plan_free(t->plan[view]);
    scp_free(t->batch.images);
    scp_free(t->batch.crops);
    scp_free(t->batch.crop_points);
    scp_free(t->batch.image_points);
    scp_free(t->batch.sources);
    scp_free(t->gradients);
    scp_free(t);
}

static enum scp_status forward(void *self, double *losses, const float *parameters, float *state,
                               uint64_t step, const struct scp_control *control) {
    struct scp_trainer *t = self;
    const struct scp_sample_options *o = &t->options.sample;
    const float *views[SCP_VIEWS] = {t->batch.images, t->batch.crops};
    enum scp_status status = scp_sample(&t->batch, &t->pool, o, step, control);
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++)
        status = scp_plan_forward(t->plan[view], parameters, state, views[view], o->seed,
                                  step * SCP_VIEWS + (uint64_t)view, control);
    if (status != SCP_OK) return status;
    return scp_objective(losses, t->outputs[SCP_VIEW_IMAGE], t->outputs[SCP_VIEW_CROP], t->levels,
                         o->batch, t->batch.crop_points, t->batch.image_points, o->points,
                         t->pool.height, t->pool.width, o->crop, &t->options.objective, control);
}

static enum scp_status backward(void *self, float *gradients, const float *parameters,
                                const struct scp_control *control) {
    struct scp_trainer *t = self;
    enum scp_status status = SCP_OK;
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++)
        status = scp_plan_backward(t->plan[view], gradients, NULL, parameters, control);
    return status;
}

enum scp_status scp_train_run(struct scp_trainer *t, double *losses, size_t *done,
                              float *parameters, float *state, float *m, float *v, uint64_t first,
                              const double *rates, size_t count,
                              const struct scp_control *control) {
    const struct train_steps steps = {
        t, forward, backward, t->levels, t->parameters, t->gradients, &t->options.adam};
    return train_steps(&steps, losses, done, parameters, state, m, v, first, rates, count, control);
}
