/* Adam, momentum SGD and the moving average of a teacher. All parameters of a group go in blocks,
 * one a task; the blocks also give the order in which the norm of its gradient is summed up. */
#include <math.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"
#include "scp/train.h"

#define BLOCK ((size_t)1 << 15) /* parameters of a task */

struct work {
    float *p, *m, *v; /* SGD: m is the velocity */
    const float *gradients;
    double *squares;
    size_t n;
    struct scp_adam_step step;
    float momentum;
    int nesterov;
    const struct scp_objective_kernels *kernels;
};

static size_t blocks(size_t n) {
    return (n + BLOCK - 1) / BLOCK;
}

static size_t size_of(const struct work *w, size_t task) {
    const size_t left = w->n - task * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

static enum scp_status square(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    (void)worker;
    w->squares[task] = w->kernels->squares(w->gradients + task * BLOCK, size_of(w, task));
    return SCP_OK;
}

/* What the gradient is multiplied by so that its norm is at most clip. */
static enum scp_status clip_scale(float *scale, struct work *w, float clip) {
    *scale = 1;
    if (!(clip > 0)) return SCP_OK;
    w->squares = scp_alloc(blocks(w->n), sizeof *w->squares);
    if (!w->squares) return SCP_ENOMEM;
    const enum scp_status status = scp_parallel(blocks(w->n), square, w, NULL);
    double sum = 0;
    for (size_t i = 0; status == SCP_OK && i < blocks(w->n); i++) sum += w->squares[i];
    const double norm = sqrt(sum);
    if (norm > (double)clip) *scale = (float)((double)clip / norm);
    scp_free(w->squares);
    return status;
}

void scp_optimiser_of(struct scp_optimiser *optimiser, const struct scp_train_options *options) {
    *optimiser = (struct scp_optimiser){.kind = SCP_ADAM,
                                        .weight_decay = (float)options->weight_decay,
                                        .clip = (float)options->clip_norm,
                                        .beta1 = (float)options->beta1,
                                        .beta2 = (float)options->beta2,
                                        .epsilon = (float)options->adam_epsilon};
}

/* ---- Adam ---- */

static enum scp_status move_adam(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t at = task * BLOCK;
    (void)worker;
    w->kernels->adam(w->p + at, w->m + at, w->v + at, w->gradients + at, size_of(w, task),
                     &w->step);
    return SCP_OK;
}

enum scp_status scp_adam(float *parameters, float *m, float *v, const float *gradients, size_t n,
                         uint64_t step, double rate, const struct scp_optimiser *o) {
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1 && o->epsilon > 0 &&
          o->weight_decay >= 0 && o->clip >= 0 && rate >= 0 && rate < INFINITY))
        return SCP_EINVAL;
    const double t = (double)step + 1;
    struct work w = {.p = parameters,
                     .m = m,
                     .v = v,
                     .gradients = gradients,
                     .n = n,
                     .kernels = &scp_kernels()->objective};
    w.step.rate = (float)(rate / (1 - pow((double)o->beta1, t)));
    w.step.correction = (float)(1 / (1 - pow((double)o->beta2, t)));
    w.step.beta1 = o->beta1;
    w.step.beta2 = o->beta2;
    w.step.epsilon = o->epsilon;
    w.step.decay = o->weight_decay;
    const enum scp_status status = clip_scale(&w.step.scale, &w, o->clip);
    return status == SCP_OK ? scp_parallel(blocks(n), move_adam, &w, NULL) : status;
}

/* ---- SGD ---- */

static enum scp_status move_sgd(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t first = task * BLOCK, end = first + size_of(w, task);
    (void)worker;
    for (size_t i = first; i < end; i++) {
        const float g = w->step.scale * w->gradients[i] + w->step.decay * w->p[i];
        const float v = w->momentum * w->m[i] + g;
        w->m[i] = v;
        w->p[i] -= w->step.rate * (w->nesterov ? g + w->momentum * v : v);
    }
    return SCP_OK;
}

enum scp_status scp_sgd(float *parameters, float *velocity, const float *gradients, size_t n,
                        double rate, const struct scp_optimiser *o) {
    if (!(o->momentum >= 0 && o->momentum < 1 && o->weight_decay >= 0 && o->clip >= 0 &&
          rate >= 0 && rate < INFINITY))
        return SCP_EINVAL;
    struct work w = {.p = parameters,
                     .m = velocity,
                     .gradients = gradients,
                     .n = n,
                     .momentum = o->momentum,
                     .nesterov = o->nesterov,
                     .kernels = &scp_kernels()->objective};
    w.step.rate = (float)rate;
    w.step.decay = o->weight_decay;
    const enum scp_status status = clip_scale(&w.step.scale, &w, o->clip);
    return status == SCP_OK ? scp_parallel(blocks(n), move_sgd, &w, NULL) : status;
}

/* ---- a teacher ---- */

static enum scp_status average(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t first = task * BLOCK, end = first + size_of(w, task);
    const float other = 1 - w->momentum;
    (void)worker;
    for (size_t i = first; i < end; i++) w->p[i] = w->momentum * w->p[i] + other * w->gradients[i];
    return SCP_OK;
}

enum scp_status scp_moving_average(float *teacher, const float *student, size_t n,
                                   double momentum) {
    struct work w = {.p = teacher, .gradients = student, .n = n, .momentum = (float)momentum};
    if (!(momentum >= 0 && momentum <= 1)) return SCP_EINVAL;
    return scp_parallel(blocks(n), average, &w, NULL);
}
