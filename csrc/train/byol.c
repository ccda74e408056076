/* What a step of BYOL is: the target on both views, then network, projectors and predictor on both,
 * and the distance of predictions from the target's projections. The target runs first, in the same
 * plans: only its projections are kept. */
#include "byol.h"

#include <string.h>

#include "../nn/graph.h"
#include "contrast_objective.h"
#include "scp/alloc.h"
#include "two_views.h"

enum { NETWORK = 0, PROJECTORS, PREDICTOR, TARGET, TARGET_PROJECTORS, MODELS };

/* A view at a level: what goes through the heads, all [pairs][channels]. */
struct branch {
    struct scp_plan *projector, *predictor;
    struct scp_output projected, predicted;
    size_t *cells; /* [pairs]: of the map */
    float *features, *projection, *target;
};

struct byol {
    struct two_views views;
    struct scp_graph *head;                            /* of projectors and predictor */
    struct branch branches[SCP_VIEWS][SCP_MAX_LEVELS]; /* levels with a loss, from 0 */
    float *back; /* [pairs][channels], gradients on their way */
    size_t trained, pairs, channels;
    int found; /* the step has a pair */
};

static void release(void *self) {
    struct byol *b = self;
    if (!b) return;
    for (int view = 0; view < SCP_VIEWS; view++)
        for (size_t d = 0; d < SCP_MAX_LEVELS; d++) {
            struct branch *branch = &b->branches[view][d];
            scp_plan_free(branch->projector);
            scp_plan_free(branch->predictor);
            scp_free(branch->cells);
            scp_free(branch->features);
            scp_free(branch->projection);
            scp_free(branch->target);
        }
    scp_free(b->back);
    scp_graph_free(b->head);
    two_views_release(&b->views);
    scp_free(b);
}

/* ---- between maps and rows of vectors ---- */

/* The cells of all pairs; one that was not found repeats the next that was. */
static void find_cells(struct byol *b) {
    const struct scp_batch *batch = &b->views.batch;
    b->found = 0;
    for (size_t d = 0; d < b->trained; d++) {
        const struct scp_output *image = &b->views.outputs[SCP_VIEW_IMAGE][b->views.first + d];
        const struct scp_output *crop = &b->views.outputs[SCP_VIEW_CROP][b->views.first + d];
        size_t *of_image = b->branches[SCP_VIEW_IMAGE][d].cells;
        size_t *of_crop = b->branches[SCP_VIEW_CROP][d].cells;
        for (size_t i = 2 * b->pairs; i-- > 0;) { /* twice: past the last comes the first */
            const size_t k = i % b->pairs, next = (k + 1) % b->pairs, item = k / batch->points;
            size_t at[2], query[2];
            if (pair_cells(at, query, batch, k, image, crop)) {
                of_image[k] = (item * image->height + at[1]) * image->width + at[0];
                of_crop[k] = (item * crop->height + query[1]) * crop->width + query[0];
                b->found = 1;
            } else if (b->found) {
                of_image[k] = of_image[next];
                of_crop[k] = of_crop[next];
            }
        }
    }
}

static void gather(float *rows, const struct scp_output *map, const size_t *cells, size_t count) {
    for (size_t k = 0; k < count; k++)
        memcpy(rows + k * map->channels, map->values + cells[k] * map->stride,
               map->channels * sizeof *rows);
}

/* What a head gave, without the padding. */
static void take(float *rows, const struct scp_output *out, size_t count) {
    for (size_t k = 0; k < count; k++)
        memcpy(rows + k * out->channels, out->values + k * out->stride,
               out->channels * sizeof *rows);
}

/* The gradient of what a head gave. */
static void put(const struct scp_output *out, const float *rows, size_t count) {
    memset(out->gradient, 0, count * out->stride * sizeof *rows);
    for (size_t k = 0; k < count; k++)
        memcpy(out->gradient + k * out->stride, rows + k * out->channels,
               out->channels * sizeof *rows);
}

static void scatter(const struct scp_output *map, const float *rows, const size_t *cells,
                    size_t count) {
    for (size_t k = 0; k < count; k++) {
        float *gradient = map->gradient + cells[k] * map->stride;
        for (size_t c = 0; c < map->channels; c++) gradient[c] += rows[k * map->channels + c];
    }
}

/* ---- a step ---- */

/* The projector of a level, as values: the models hold one after the other. */
static struct scp_values projector(const struct byol *b, const struct scp_values *all, size_t d) {
    const size_t parameters = d * b->head->n_parameters, state = d * b->head->n_state;
    return (struct scp_values){all->parameters + parameters, all->state + state,
                               all->gradients ? all->gradients + parameters : NULL};
}

/* Network and projectors on one view. */
static enum scp_status project(struct byol *b, int view, const struct scp_values *network,
                               const struct scp_values *projectors, uint64_t step,
                               const struct scp_control *control) {
    enum scp_status status = two_views_forward(&b->views, view, network, step, control);
    for (size_t d = 0; status == SCP_OK && d < b->trained; d++) {
        struct branch *branch = &b->branches[view][d];
        const struct scp_values values = projector(b, projectors, d);
        gather(branch->features, &b->views.outputs[view][b->views.first + d], branch->cells,
               b->pairs);
        status = scp_plan_forward(branch->projector, values.parameters, values.state,
                                  branch->features, b->views.options.train.seed, step, control);
    }
    return status;
}

static double weight_of(const struct byol *b, size_t d) {
    const struct scp_reals *weights = &b->views.options.level_weights;
    return weights->count ? weights->value[d] : 1;
}

/* The mean squared distance of one direction; its gradient goes to the prediction. */
static double distance(const struct byol *b, size_t d, const struct branch *branch,
                       const float *target) {
    const struct scp_output *p = &branch->predicted;
    const double numbers = (double)(b->pairs * b->channels);
    const float scale = (float)(2 * weight_of(b, d) / ((double)b->trained * numbers));
    double sum = 0;
    memset(p->gradient, 0, b->pairs * p->stride * sizeof(float));
    for (size_t k = 0; k < b->pairs; k++) {
        float part = 0;
        for (size_t c = 0; c < b->channels; c++) {
            const float apart = p->values[k * p->stride + c] - target[k * b->channels + c];
            p->gradient[k * p->stride + c] = scale * apart;
            part += apart * apart;
        }
        sum += (double)part;
    }
    return sum / numbers;
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct byol *b = self;
    struct two_views *v = &b->views;
    const uint64_t seed = v->options.train.seed;
    (void)phase;
    enum scp_status status = scp_contrast_sample(&v->batch, &v->pool, &v->options, step, control);
    if (status != SCP_OK) return status;
    find_cells(b);
    if (!b->found) return SCP_OK;
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++) {
        status = project(b, view, &models[TARGET], &models[TARGET_PROJECTORS], step, control);
        for (size_t d = 0; status == SCP_OK && d < b->trained; d++)
            take(b->branches[view][d].target, &b->branches[view][d].projected, b->pairs);
    }
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++) {
        status = project(b, view, &models[NETWORK], &models[PROJECTORS], step, control);
        for (size_t d = 0; status == SCP_OK && d < b->trained; d++) {
            struct branch *branch = &b->branches[view][d];
            take(branch->projection, &branch->projected, b->pairs);
            status =
                scp_plan_forward(branch->predictor, models[PREDICTOR].parameters,
                                 models[PREDICTOR].state, branch->projection, seed, step, control);
        }
    }
    for (size_t d = 0; status == SCP_OK && d < b->trained; d++) {
        const struct branch *image = &b->branches[SCP_VIEW_IMAGE][d];
        const struct branch *crop = &b->branches[SCP_VIEW_CROP][d];
        losses[d] = distance(b, d, image, crop->target) + distance(b, d, crop, image->target);
    }
    return status;
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct byol *b = self;
    enum scp_status status = SCP_OK;
    (void)phase;
    if (!b->found) return SCP_OK;
    two_views_clear(&b->views, 0, b->views.levels);
    for (int view = 0; view < SCP_VIEWS; view++)
        for (size_t d = 0; status == SCP_OK && d < b->trained; d++) {
            struct branch *branch = &b->branches[view][d];
            const struct scp_values values = projector(b, &models[PROJECTORS], d);
            status = scp_plan_backward(branch->predictor, models[PREDICTOR].gradients, b->back,
                                       models[PREDICTOR].parameters, control);
            if (status != SCP_OK) return status;
            put(&branch->projected, b->back, b->pairs);
            status = scp_plan_backward(branch->projector, values.gradients, b->back,
                                       values.parameters, control);
            scatter(&b->views.outputs[view][b->views.first + d], b->back, branch->cells, b->pairs);
        }
    if (status != SCP_OK) return status;
    return two_views_backward(&b->views, &models[NETWORK], control);
}

/* ---- making one ---- */

/* All branches and what they hold; adds it to *bytes. */
static enum scp_status make_branches(struct byol *b, size_t *bytes, enum scp_making making,
                                     const struct scp_control *control) {
    const struct scp_batch *batch = &b->views.batch;
    const size_t numbers = b->pairs * b->channels;
    size_t plan = 0, bad = 0;
    enum scp_status status =
        scp_plan_create(NULL, &plan, &bad, b->head, batch->items, 1, batch->points, SCP_PLAN_TRAIN);
    if (status == SCP_EINVAL) return scp_invalid(control, "points", SCP_WHOLE, "are too many");
    if (status != SCP_OK) return status;
    *bytes += SCP_VIEWS * b->trained *
              (2 * plan + b->pairs * sizeof(size_t) + 3 * numbers * sizeof(float));
    *bytes += numbers * sizeof(float);
    if (making == SCP_MEASURE) return SCP_OK;
    for (int view = 0; view < SCP_VIEWS; view++)
        for (size_t d = 0; d < b->trained; d++) {
            struct branch *branch = &b->branches[view][d];
            struct scp_plan **const plans[] = {&branch->projector, &branch->predictor};
            for (int k = 0; k < 2; k++) {
                status = scp_plan_create(plans[k], &plan, &bad, b->head, batch->items, 1,
                                         batch->points, SCP_PLAN_TRAIN);
                if (status != SCP_OK) return status;
            }
            scp_plan_output(&branch->projected, branch->projector, 0);
            scp_plan_output(&branch->predicted, branch->predictor, 0);
            branch->cells = scp_alloc(b->pairs, sizeof *branch->cells);
            branch->features = scp_alloc(numbers, sizeof(float));
            branch->projection = scp_alloc(numbers, sizeof(float));
            branch->target = scp_alloc(numbers, sizeof(float));
            if (!branch->cells || !branch->features || !branch->projection || !branch->target)
                return SCP_ENOMEM;
        }
    b->back = scp_alloc(numbers, sizeof(float));
    return b->back ? SCP_OK : SCP_ENOMEM;
}

static enum scp_status make_head(struct byol *b, const struct scp_graph *graph) {
    const uint32_t hidden = (uint32_t)b->views.options.hidden;
    const struct scp_layer none = {.inputs = {-1, -1, -1, -1}}, conv = {.op = SCP_OP_CONV,
                                                                        .inputs = {-1, -1, -1, -1},
                                                                        .kernel_y = 1,
                                                                        .kernel_x = 1,
                                                                        .stride = 1,
                                                                        .dilation = 1,
                                                                        .bias = 1};
    struct scp_layer layers[] = {none, conv, none, none, conv};
    size_t bad;
    for (size_t i = 0; i < graph->count; i++)
        if (graph->layers[i].output) b->channels = graph->channels[i];
    for (int i = 1; i < 5; i++) layers[i].inputs[0] = i - 1;
    layers[0].op = SCP_OP_INPUT;
    layers[0].channels = (uint32_t)b->channels;
    layers[1].channels = hidden;
    layers[2].op = SCP_OP_BATCH_NORM;
    layers[2].epsilon = 1e-5f;
    layers[2].momentum = 0.1f;
    layers[3].op = SCP_OP_LEAKY; /* slope 0: ReLU */
    layers[4].channels = (uint32_t)b->channels;
    layers[4].output = 1;
    return scp_graph_create(&b->head, &bad, layers, 5);
}

static enum scp_status check(const struct byol *b, const struct scp_graph *graph,
                             const struct scp_control *control) {
    if (b->pairs < 2)
        return scp_invalid(control, "points", SCP_WHOLE, "must be at least 2 where batch is 1");
    for (size_t i = 0; i < graph->count; i++)
        if (graph->layers[i].output && graph->channels[i] != b->channels)
            return scp_invalid(control, "graph", SCP_WHOLE,
                               "must have levels of equal channels for byol");
    return SCP_OK;
}

/* Models and groups besides the network and its own. */
static void add_models(struct scp_training *t, const struct byol *b) {
    const struct scp_train_options *train = &b->views.options.train;
    const double momentum = b->views.options.target_momentum;
    const struct scp_model network = t->models[NETWORK];
    const size_t parameters = b->head->n_parameters, state = b->head->n_state;
    t->models[PROJECTORS] = (struct scp_model){
        .name = "projectors", .parameters = b->trained * parameters, .state = b->trained * state};
    t->models[PREDICTOR] =
        (struct scp_model){.name = "predictor", .parameters = parameters, .state = state};
    t->models[TARGET] = network;
    t->models[TARGET].name = "target";
    t->models[TARGET_PROJECTORS] = t->models[PROJECTORS];
    t->models[TARGET_PROJECTORS].name = "target.projectors";
    for (size_t m = TARGET; m < MODELS; m++) {
        t->models[m].is_teacher = 1;
        t->models[m].student = m - TARGET;
        t->models[m].momentum = momentum;
    }
    t->n_models = MODELS;
    for (size_t m = PROJECTORS; m <= PREDICTOR; m++) {
        struct scp_group *group = &t->groups[t->n_groups++];
        *group = (struct scp_group){.name = t->models[m].name,
                                    .model = m,
                                    .count = t->models[m].parameters,
                                    .rate = 1,
                                    .phases = 1,
                                    .every = 1};
        scp_optimiser_of(&group->optimiser, train);
    }
}

enum scp_status byol_training(struct scp_training *training, const struct scp_graph *graph,
                              const struct scp_pool *pool,
                              const struct scp_contrast_options *options, enum scp_making making,
                              const struct scp_control *control) {
    struct byol *b = scp_calloc(1, sizeof *b);
    if (!b) return SCP_ENOMEM;
    *training = (struct scp_training){
        .bytes = sizeof *b, .forward = forward, .backward = backward, .free = release};
    enum scp_status status =
        two_views_make(&b->views, &training->bytes, graph, pool, options, making, control);
    if (status == SCP_OK) status = make_head(b, graph);
    if (status == SCP_OK) {
        b->trained = b->views.levels - b->views.first;
        b->pairs = options->batch * options->points;
        training->losses = b->trained;
        status = check(b, graph, control);
    }
    if (status == SCP_OK) status = two_views_network(training, &b->views, graph, control);
    if (status == SCP_OK) status = make_branches(b, &training->bytes, making, control);
    if (status == SCP_OK) add_models(training, b);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = b;
    else
        release(b);
    return status;
}
