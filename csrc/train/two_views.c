/* A network on two views of every image of a batch, and which of its parameters learn from them. */
#include "two_views.h"

#include <string.h>

#include "../nn/graph.h"
#include "scp/alloc.h"

void two_views_release(struct two_views *v) {
    for (int view = 0; view < SCP_VIEWS; view++) scp_plan_free(v->plan[view]);
    scp_free(v->batch.images);
    scp_free(v->batch.crops);
    scp_free(v->batch.crop_points);
    scp_free(v->batch.image_points);
    scp_free(v->batch.sources);
}

/* ---- a step ---- */

enum scp_status two_views_forward(struct two_views *v, int view, const struct scp_values *network,
                                  uint64_t step, const struct scp_control *control) {
    return scp_plan_forward(v->plan[view], network->parameters, network->state,
                            view == SCP_VIEW_CROP ? v->batch.crops : v->batch.images,
                            v->options.train.seed, step * SCP_VIEWS + (uint64_t)view, control);
}

void two_views_clear(struct two_views *v, size_t first, size_t end) {
    for (int view = 0; view < SCP_VIEWS; view++)
        for (size_t d = first; d < end; d++) {
            const struct scp_output *o = &v->outputs[view][d];
            memset(o->gradient, 0, v->batch.items * o->height * o->width * o->stride * 4);
        }
}

enum scp_status two_views_backward(struct two_views *v, const struct scp_values *network,
                                   const struct scp_control *control) {
    enum scp_status status = SCP_OK;
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++)
        status = scp_plan_backward(v->plan[view], network->gradients, NULL, network->parameters,
                                   control);
    return status;
}

/* ---- making them ---- */

/* What sampling, the objective and the optimiser hold for a moment, at most: cells are not more
 * than pixels. */
static size_t scratch(const struct scp_graph *graph, const struct scp_pool *pool, size_t batch) {
    size_t channels = 0;
    for (size_t i = 0; i < graph->count; i++)
        if (graph->layers[i].output && graph->channels[i] > channels) channels = graph->channels[i];
    const size_t per_thread = 5 * pool->height * pool->width + 2 * (channels + 16);
    const size_t sums = SCP_MAX_LEVELS * batch + scp_graph_parameters(graph) / 1024;
    return scp_threads() * (per_thread + 2 * pool->width) * sizeof(float) + sums * sizeof(double) +
           pool->count * sizeof(uint32_t);
}

static void size_batch(struct two_views *v, const struct scp_graph *graph) {
    const struct scp_pool *pool = &v->pool;
    v->batch =
        (struct scp_batch){.items = v->options.batch,
                           .height = pool->height,
                           .width = pool->width,
                           .channels = graph->channels[0],
                           .side = scp_crop_side(&v->options, pool->height, pool->width, v->levels),
                           .points = v->options.points};
}

static size_t batch_bytes(const struct scp_batch *b) {
    const size_t pixels = b->height * b->width + b->side * b->side;
    return b->items * (pixels * b->channels * sizeof(float) +
                       b->points * 2 * (sizeof(int32_t) + sizeof(float)) + sizeof(uint32_t));
}

static enum scp_status make_batch(struct scp_batch *b) {
    b->images = scp_alloc(b->items * b->height * b->width * b->channels, sizeof(float));
    b->crops = scp_alloc(b->items * b->side * b->side * b->channels, sizeof(float));
    b->crop_points = scp_alloc(b->items * b->points, 2 * sizeof(int32_t));
    b->image_points = scp_alloc(b->items * b->points, 2 * sizeof(float));
    b->sources = scp_alloc(b->items, sizeof(uint32_t));
    return b->images && b->crops && b->crop_points && b->image_points && b->sources ? SCP_OK
                                                                                    : SCP_ENOMEM;
}

static enum scp_status check(const struct scp_graph *graph, const struct scp_pool *pool,
                             const struct scp_contrast_options *o,
                             const struct scp_control *control) {
    const size_t levels = scp_graph_outputs(graph), channels = graph->channels[0];
    const size_t weights = o->level_weights.count;
    if (levels < 1 || levels > SCP_MAX_LEVELS)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have 1 to 8 outputs");
    if (channels != 1 && channels != 3)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have 1 or 3 input channels");
    if (weights != 0 && weights != scp_contrast_levels(o, levels))
        return scp_invalid(control, "level_weights", SCP_WHOLE,
                           "must be one number per level with a loss");
    return scp_contrast_check(o, pool, scp_crop_side(o, pool->height, pool->width, levels),
                              control);
}

/* Plans of both views and their outputs; adds their memory to *bytes. */
static enum scp_status make_plans(struct two_views *v, size_t *bytes, const struct scp_graph *graph,
                                  enum scp_making making, const struct scp_control *control) {
    for (int view = 0; view < SCP_VIEWS; view++) {
        const size_t height = view == SCP_VIEW_CROP ? v->batch.side : v->batch.height;
        const size_t width = view == SCP_VIEW_CROP ? v->batch.side : v->batch.width;
        size_t plan = 0, bad = 0;
        const enum scp_status status =
            scp_plan_create(making == SCP_MAKE ? &v->plan[view] : NULL, &plan, &bad, graph,
                            v->batch.items, height, width, SCP_PLAN_TRAIN);
        if (status == SCP_EINVAL)
            return scp_invalid(control, "layer", bad,
                               view == SCP_VIEW_CROP ? "does not fit the size of the crop"
                                                     : "does not fit the size of the images");
        if (status != SCP_OK) return status;
        *bytes += plan;
    }
    for (size_t d = 0; making == SCP_MAKE && d < v->levels; d++) {
        for (int view = 0; view < SCP_VIEWS; view++)
            scp_plan_output(&v->outputs[view][d], v->plan[view], d);
        if (d > 0 && v->outputs[0][d].height < v->outputs[0][d - 1].height)
            return scp_invalid(control, "graph", SCP_WHOLE, "must have its coarsest output first");
    }
    return SCP_OK;
}

enum scp_status two_views_make(struct two_views *v, size_t *bytes, const struct scp_graph *graph,
                               const struct scp_pool *pool,
                               const struct scp_contrast_options *options, enum scp_making making,
                               const struct scp_control *control) {
    enum scp_status status = check(graph, pool, options, control);
    if (status != SCP_OK) return status;
    const size_t levels = scp_graph_outputs(graph);
    *v = (struct two_views){.pool = *pool,
                            .options = *options,
                            .levels = levels,
                            .first = levels - scp_contrast_levels(options, levels)};
    size_batch(v, graph);
    *bytes += batch_bytes(&v->batch) + scratch(graph, pool, options->batch);
    status = make_plans(v, bytes, graph, making, control);
    if (status == SCP_OK && making == SCP_MAKE) status = make_batch(&v->batch);
    return status;
}

/* ---- what learns ---- */

/* Marks the layers that outputs `first` and later depend on. */
static void mark(unsigned char *used, const struct scp_graph *graph, size_t first) {
    size_t output = scp_graph_outputs(graph);
    for (size_t i = graph->count; i-- > 0;) {
        const struct scp_layer *layer = &graph->layers[i];
        if (layer->output && --output >= first) used[i] = 1;
        for (size_t k = 0; used[i] && k < scp_layer_inputs(layer); k++) used[layer->inputs[k]] = 1;
    }
}

enum scp_status two_views_network(struct scp_training *t, const struct two_views *v,
                                  const struct scp_graph *graph,
                                  const struct scp_control *control) {
    static const char *const names[] = {"part1", "part2", "part3", "part4", "part5",
                                        "part6", "part7", "part8", "part9", "part10"};
    scp_training_of_network(t, scp_graph_parameters(graph), scp_graph_state(graph),
                            &v->options.train);
    if (v->first == 0) return SCP_OK;
    unsigned char *used = scp_calloc(graph->count, 1);
    if (!used) return SCP_ENOMEM;
    mark(used, graph, v->first);
    const struct scp_group whole = t->groups[0];
    size_t n = 0;
    int go_on = 0; /* the layer before with parameters is used */
    enum scp_status status = SCP_OK;
    for (size_t i = 0; status == SCP_OK && i < graph->count; i++) {
        const struct scp_block *block = &graph->blocks[i];
        if (block->n_parameters == 0) continue;
        if (used[i] && !go_on && n == sizeof names / sizeof names[0]) {
            status = scp_invalid(control, "graph", SCP_WHOLE,
                                 "must have the layers of coarse levels in at most 9 places");
        } else if (used[i] && !go_on) {
            t->groups[n] = whole;
            t->groups[n].name = names[n];
            t->groups[n].first = block->parameters;
            t->groups[n++].count = 0;
        }
        if (used[i] && n) t->groups[n - 1].count += block->n_parameters;
        go_on = used[i];
    }
    t->n_groups = n;
    scp_free(used);
    return status;
}
