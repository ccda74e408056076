#include <math.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"
#include "scp/train.h"

#define BLOCK ((size_t)1 << 15) /* parameters of a task; the blocks give the order of the norm */

struct work {
    float *p, *m, *v;
    const float *gradients;
    double *squares;
    size_t n;
    struct scp_adam_step step;
    const struct scp_objective_kernels *kernels;
};

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

static enum scp_status move(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t at = task * BLOCK;
    (void)worker;
    w->kernels->adam(w->p + at, w->m + at, w->v + at, w->gradients + at, size_of(w, task),
                     &w->step);
    return SCP_OK;
}

enum scp_status scp_adam(float *parameters, float *m, float *v, const float *gradients, size_t n,
                         uint64_t step, double rate, const struct scp_adam_options *o) {
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1 && o->epsilon > 0 &&
          o->weight_decay >= 0 && o->clip >= 0 && rate >= 0 && rate < INFINITY))
        return SCP_EINVAL;
    const double t = (double)step + 1;
    const size_t tasks = (n + BLOCK - 1) / BLOCK;
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
    w.step.scale = 1;
    enum scp_status status = SCP_OK;
    if (o->clip > 0) {
        w.squares = scp_alloc(tasks, sizeof *w.squares);
        if (!w.squares) return SCP_ENOMEM;
        status = scp_parallel(tasks, square, &w, NULL);
        double sum = 0;
        for (size_t i = 0; i < tasks; i++) sum += w.squares[i];
        const double norm = sqrt(sum);
        if (norm > (double)o->clip) w.step.scale = (float)((double)o->clip / norm);
        scp_free(w.squares);
    }
    if (status == SCP_OK) status = scp_parallel(tasks, move, &w, NULL);
    return status;
}
