/* What the bindings of training and refinement share: arguments, and the trainer's capsule. */
#ifndef SCP_PYTHON_TRAIN_H
#define SCP_PYTHON_TRAIN_H

#include "legacy.h"

#include "scp/train.h"

/* As scp_py_array, with the lengths in shape (-1: any). */
PyArrayObject *scp_py_shaped(PyObject *object, const char *name, int dtype, int ndim,
                             const npy_intp *shape, int access);

/* pool: float32[N][H][W]. 0, or -1 with an exception. */
int scp_py_pool(struct scp_pool *pool, PyObject *object);

/* (beta1, beta2, epsilon, weight_decay, clip) */
int scp_py_adam(struct scp_adam_options *options, PyObject *tuple);

/* What trainer_run needs to know of a trainer. */
struct scp_py_trainer {
    void *core;
    enum scp_status (*run)(void *core, double *losses, size_t *done, float *parameters,
                           float *state, float *m, float *v, uint64_t first, const double *rates,
                           size_t count, const struct scp_control *control);
    void (*free)(void *core);
    PyObject *kept; /* what the core borrows */
    size_t parameters, state, losses;
};

/* A capsule that trainer_run takes; it owns the core and a reference to `kept`. On failure the
 * core is freed. */
PyObject *scp_py_trainer_new(const struct scp_py_trainer *trainer);

#endif
