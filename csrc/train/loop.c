/* The loop of steps that every training runs: losses, gradients, optimisers, teachers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/train.h"

struct scp_trainer {
    struct scp_training is;
    struct scp_array arrays[SCP_TRAIN_MAX_ARRAYS];
    size_t n_arrays;
    size_t moments[SCP_TRAIN_MAX];   /* the first array of a group's */
    float *gradients[SCP_TRAIN_MAX]; /* of a model; NULL: nothing of it ever moves */
    float *before; /* what may change, as it was before the step; NULL where there is one phase */
};

/* ---- what there is ---- */

static size_t add(struct scp_array *rows, size_t at, const char *owner, const char *what,
                  size_t length) {
    snprintf(rows[at].name, sizeof rows[at].name, "%s%s%s", owner, *owner ? "." : "", what);
    rows[at].length = length;
    return at + 1;
}

size_t scp_training_arrays(struct scp_array *rows, const struct scp_training *t) {
    size_t n = 0;
    for (size_t m = 0; m < t->n_models; m++) {
        n = add(rows, n, t->models[m].name, "parameters", t->models[m].parameters);
        n = add(rows, n, t->models[m].name, "state", t->models[m].state);
    }
    for (size_t g = 0; g < t->n_groups; g++) {
        const struct scp_group *group = &t->groups[g];
        if (group->optimiser.kind == SCP_SGD) {
            n = add(rows, n, group->name, "velocity", group->count);
        } else {
            n = add(rows, n, group->name, "first_moment", group->count);
            n = add(rows, n, group->name, "second_moment", group->count);
        }
    }
    return n;
}

static int moves(const struct scp_training *t, size_t model) {
    for (size_t g = 0; g < t->n_groups; g++)
        if (t->groups[g].model == model) return 1;
    return 0;
}

/* Whether a step that stops may have changed array i by then: any state, and what moves in another
 * phase than the last, whose losses are the last to be looked at. */
static int may_change(const struct scp_training *t, size_t i) {
    if (t->phases < 2) return 0;
    const uint32_t last = 1u << (t->phases - 1);
    if (i < 2 * t->n_models && i % 2) return 1;
    for (size_t g = 0, at = 2 * t->n_models; g < t->n_groups; g++) {
        const size_t moments = t->groups[g].optimiser.kind == SCP_SGD ? 1 : 2;
        const int own = i == 2 * t->groups[g].model || (i >= at && i < at + moments);
        if (own && t->groups[g].phases & ~last) return 1;
        at += moments;
    }
    return 0;
}

static size_t numbers_before(const struct scp_training *t) {
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    const size_t n = scp_training_arrays(rows, t);
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += may_change(t, i) ? rows[i].length : 0;
    return sum;
}

void scp_training_of_network(struct scp_training *t, size_t parameters, size_t state,
                             const struct scp_train_options *options) {
    t->models[0] = (struct scp_model){.name = "", .parameters = parameters, .state = state};
    t->groups[0] =
        (struct scp_group){.name = "", .count = parameters, .rate = 1, .phases = 1, .every = 1};
    scp_optimiser_of(&t->groups[0].optimiser, options);
    t->n_models = t->n_groups = t->phases = 1;
}

size_t scp_training_bytes(const struct scp_training *t) {
    size_t numbers = numbers_before(t);
    for (size_t m = 0; m < t->n_models; m++)
        if (moves(t, m)) numbers += t->models[m].parameters;
    return t->bytes + numbers * sizeof(float) + sizeof(struct scp_trainer);
}

/* ---- making one ---- */

static int too_long(const char *name) {
    return strlen(name) + sizeof ".second_moment" > SCP_ARRAY_NAME;
}

static int good_model(const struct scp_training *t, size_t m) {
    const struct scp_model *model = &t->models[m];
    if (too_long(model->name)) return 0;
    if (!model->is_teacher) return 1;
    return model->student < t->n_models && model->student != m &&
           t->models[model->student].parameters == model->parameters && !moves(t, m) &&
           model->momentum >= 0 && model->momentum <= 1;
}

static int good_group(const struct scp_training *t, size_t g) {
    const struct scp_group *group = &t->groups[g];
    if (group->model >= t->n_models || (unsigned)group->optimiser.kind >= SCP_OPTIMISER_KINDS)
        return 0;
    const size_t room = t->models[group->model].parameters;
    if (group->first > room || group->count > room - group->first) return 0;
    if (group->every == 0 || group->phases == 0 || group->phases >> t->phases) return 0;
    if (!(group->rate >= 0 && group->rate < INFINITY) || too_long(group->name)) return 0;
    for (size_t h = 0; h < g; h++) {
        const struct scp_group *other = &t->groups[h];
        if (other->model == group->model && other->phases & group->phases &&
            other->first < group->first + group->count &&
            group->first < other->first + other->count)
            return 0;
    }
    return 1;
}

static int good(const struct scp_training *t) {
    if (t->n_models > SCP_TRAIN_MAX || t->n_groups > SCP_TRAIN_MAX) return 0;
    if (t->phases == 0 || t->phases > 31 || t->losses == 0) return 0;
    for (size_t m = 0; m < t->n_models; m++)
        if (!good_model(t, m)) return 0;
    for (size_t g = 0; g < t->n_groups; g++)
        if (!good_group(t, g)) return 0;
    return 1;
}

enum scp_status scp_trainer_create(struct scp_trainer **out, const struct scp_training *training) {
    enum scp_status status = SCP_ENOMEM;
    struct scp_trainer *t = scp_calloc(1, sizeof *t);
    if (!t) {
        training->free(training->self);
        return status;
    }
    t->is = *training;
    status = SCP_EINVAL;
    if (!good(training)) goto done;
    status = SCP_ENOMEM;
    t->n_arrays = scp_training_arrays(t->arrays, training);
    size_t at = 2 * training->n_models;
    for (size_t g = 0; g < training->n_groups; g++) {
        t->moments[g] = at;
        at += training->groups[g].optimiser.kind == SCP_SGD ? 1 : 2;
    }
    for (size_t m = 0; m < training->n_models; m++) {
        if (!moves(training, m)) continue;
        t->gradients[m] = scp_alloc(training->models[m].parameters, sizeof(float));
        if (!t->gradients[m]) goto done;
    }
    if (training->phases > 1) {
        t->before = scp_alloc(numbers_before(training), sizeof(float));
        if (!t->before) goto done;
    }
    *out = t;
    return SCP_OK;
done:
    scp_trainer_free(t);
    return status;
}

void scp_trainer_free(struct scp_trainer *t) {
    if (!t) return;
    t->is.free(t->is.self);
    for (size_t m = 0; m < SCP_TRAIN_MAX; m++) scp_free(t->gradients[m]);
    scp_free(t->before);
    scp_free(t);
}

const struct scp_array *scp_trainer_arrays(const struct scp_trainer *t, size_t *count) {
    *count = t->n_arrays;
    return t->arrays;
}

/* ---- a step ---- */

static int moves_now(const struct scp_group *group, size_t phase, uint64_t step) {
    return group->phases >> phase & 1 && step % group->every == 0;
}

/* How often the group has moved before: Adam's number of the move. */
static uint64_t moved(const struct scp_group *group, size_t phase, uint64_t step) {
    uint64_t in_a_step = 0, earlier = 0;
    for (size_t k = 0; k < 32; k++) {
        in_a_step += group->phases >> k & 1;
        earlier += k < phase && group->phases >> k & 1;
    }
    return step / group->every * in_a_step + earlier;
}

static enum scp_status move(struct scp_trainer *t, float *const *arrays, size_t g, size_t phase,
                            uint64_t step, double rate) {
    const struct scp_group *group = &t->is.groups[g];
    float *parameters = arrays[2 * group->model] + group->first;
    const float *gradients = t->gradients[group->model] + group->first;
    float *const *moments = arrays + t->moments[g];
    rate *= group->rate;
    if (group->optimiser.kind == SCP_SGD)
        return scp_sgd(parameters, moments[0], gradients, group->count, rate, &group->optimiser);
    return scp_adam(parameters, moments[0], moments[1], gradients, group->count,
                    moved(group, phase, step), rate, &group->optimiser);
}

static int finite(const double *losses, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(losses[i])) return 0;
    return 1;
}

/* Losses, gradients and moves of one phase. *stopped: a loss is not finite, nothing has moved. */
static enum scp_status run_phase(struct scp_trainer *t, double *losses, int *stopped,
                                 float *const *arrays, size_t phase, uint64_t step, double rate,
                                 const struct scp_control *control) {
    const struct scp_training *is = &t->is;
    struct scp_values values[SCP_TRAIN_MAX];
    for (size_t m = 0; m < is->n_models; m++)
        values[m] = (struct scp_values){arrays[2 * m], arrays[2 * m + 1], NULL};
    for (size_t g = 0; g < is->n_groups; g++) {
        const size_t m = is->groups[g].model;
        if (!moves_now(&is->groups[g], phase, step) || values[m].gradients) continue;
        values[m].gradients = t->gradients[m];
        memset(t->gradients[m], 0, is->models[m].parameters * sizeof(float));
    }
    enum scp_status status = is->forward(is->self, phase, losses, values, step, control);
    *stopped = status == SCP_OK && !finite(losses, is->losses);
    if (status != SCP_OK || *stopped) return status;
    status = is->backward(is->self, phase, values, control);
    for (size_t g = 0; status == SCP_OK && g < is->n_groups; g++)
        if (moves_now(&is->groups[g], phase, step)) status = move(t, arrays, g, phase, step, rate);
    return status;
}

/* Copies what may change into `before`, or back. */
static void keep_arrays(struct scp_trainer *t, float *const *arrays, int back) {
    float *before = t->before;
    for (size_t i = 0; before && i < t->n_arrays; i++) {
        if (!may_change(&t->is, i)) continue;
        const size_t bytes = t->arrays[i].length * sizeof(float);
        memcpy(back ? arrays[i] : before, back ? before : arrays[i], bytes);
        before += t->arrays[i].length;
    }
}

static enum scp_status run_step(struct scp_trainer *t, double *losses, int *stopped,
                                float *const *arrays, uint64_t step, double rate,
                                const struct scp_control *control) {
    enum scp_status status = SCP_OK;
    *stopped = 0;
    memset(losses, 0, t->is.losses * sizeof *losses);
    keep_arrays(t, arrays, 0);
    for (size_t phase = 0; status == SCP_OK && !*stopped && phase < t->is.phases; phase++)
        status = run_phase(t, losses, stopped, arrays, phase, step, rate, control);
    if (*stopped) keep_arrays(t, arrays, 1);
    for (size_t m = 0; status == SCP_OK && !*stopped && m < t->is.n_models; m++) {
        const struct scp_model *model = &t->is.models[m];
        if (model->is_teacher)
            status = scp_moving_average(arrays[2 * m], arrays[2 * model->student],
                                        model->parameters, model->momentum);
    }
    return status;
}

enum scp_status scp_trainer_run(struct scp_trainer *t, double *losses, size_t *done,
                                float *const *arrays, uint64_t first, const double *rates,
                                size_t count, const struct scp_control *control) {
    enum scp_status status = SCP_OK;
    *done = 0;
    for (size_t i = 0; i < count; i++)
        if (!(rates[i] >= 0 && rates[i] < INFINITY))
            return scp_invalid(control, "rates", i, "must be a finite number >= 0");
    for (size_t i = 0; status == SCP_OK && i < count; i++) {
        int stopped;
        status =
            run_step(t, losses + i * t->is.losses, &stopped, arrays, first + i, rates[i], control);
        if (status != SCP_OK || stopped) break;
        *done = i + 1;
        status = scp_poll(control, i + 1, count);
    }
    return status;
}
