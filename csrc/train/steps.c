#include "steps.h"

#include <math.h>
#include <string.h>

enum scp_status train_steps(const struct train_steps *s, double *losses, size_t *done,
                            float *parameters, float *state, float *m, float *v, uint64_t first,
                            const double *rates, size_t count, const struct scp_control *control) {
    enum scp_status status = SCP_OK;
    *done = 0;
    for (size_t i = 0; status == SCP_OK && i < count; i++) {
        double *loss = losses + i * s->losses;
        status = s->forward(s->self, loss, parameters, state, first + i, control);
        if (status != SCP_OK) break;
        for (size_t k = 0; k < s->losses; k++)
            if (!isfinite(loss[k])) return SCP_OK; /* parameters and moments are left alone */
        memset(s->gradients, 0, s->parameters * sizeof *s->gradients);
        status = s->backward(s->self, s->gradients, parameters, control);
        if (status == SCP_OK)
            status = scp_adam(parameters, m, v, s->gradients, s->parameters, first + i, rates[i],
                              s->adam);
        if (status != SCP_OK) break;
        *done = i + 1;
        status = scp_poll(control, i + 1, count);
    }
    return status;
}
