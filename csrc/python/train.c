/* scp._core: optimisers, and the loop that runs every training (csrc/include/scp/train.h). */
#include "train.h"

#include "scp/contrast.h"

/* ---- single operations ---- */

struct train_adam {
    float *parameters, *m, *v;
    const float *gradients;
    uint64_t step;
    double rate;
    struct scp_contrast_options options;
    size_t n;
};

static const struct scp_arg train_adam_args[] = {
    ARRAY(train_adam, parameters, "parameters"),
    ARRAY(train_adam, m, "parameters"),
    ARRAY(train_adam, v, "parameters"),
    ARRAY(train_adam, gradients, "parameters"),
    COUNT(train_adam, step, 0, UINT64_MAX - 1, .note = "from 0"),
    REAL(train_adam, rate),
    OPTIONS(train_adam, options, &scp_contrast_table),
    DIM(train_adam, parameters, n),
    END,
};

static enum scp_status train_adam(struct train_adam *a, const struct scp_control *control) {
    struct scp_optimiser optimiser;
    (void)control;
    scp_optimiser_of(&optimiser, &a->options.train);
    return scp_adam(a->parameters, a->m, a->v, a->gradients, a->n, a->step, a->rate, &optimiser);
}
FUNCTION(train_adam, "One step of Adam, in place.")

struct train_sgd {
    float *parameters, *velocity;
    const float *gradients;
    double rate;
    struct scp_optimiser optimiser;
    size_t n;
};

static const struct scp_arg optimiser_rows[] = {
    REAL(scp_optimiser, momentum), FLAG(scp_optimiser, nesterov), REAL(scp_optimiser, weight_decay),
    REAL(scp_optimiser, clip), END};

static const struct scp_arg train_sgd_args[] = {
    ARRAY(train_sgd, parameters, "parameters"),
    ARRAY(train_sgd, velocity, "parameters"),
    ARRAY(train_sgd, gradients, "parameters"),
    REAL(train_sgd, rate),
    TUPLE(train_sgd, optimiser, optimiser_rows),
    DIM(train_sgd, parameters, n),
    END,
};

static enum scp_status train_sgd(struct train_sgd *a, const struct scp_control *control) {
    (void)control;
    return scp_sgd(a->parameters, a->velocity, a->gradients, a->n, a->rate, &a->optimiser);
}
FUNCTION(train_sgd, "One step of SGD with momentum, in place.")

struct train_average {
    float *teacher;
    const float *student;
    double momentum;
    size_t n;
};

static const struct scp_arg train_average_args[] = {
    ARRAY(train_average, teacher, "parameters"),
    ARRAY(train_average, student, "parameters"),
    REAL(train_average, momentum),
    DIM(train_average, parameters, n),
    END,
};

static enum scp_status train_average(struct train_average *a, const struct scp_control *control) {
    (void)control;
    return scp_moving_average(a->teacher, a->student, a->n, a->momentum);
}
FUNCTION(train_average, "A teacher follows its student, in place.")

/* ---- the trainer ---- */

static void free_trainer(void *core) {
    scp_trainer_free(core);
}

const struct scp_py_type scp_py_trainer = {"scp._core.Trainer",
                                           "A training that can be run, for trainer_run.",
                                           "parameters losses", free_trainer};

PyObject *scp_py_arrays(const struct scp_training *training) {
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    const size_t n = scp_training_arrays(rows, training);
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < n; i++) {
        PyObject *length = PyLong_FromSize_t(rows[i].length);
        if (!length || PyDict_SetItemString(dict, rows[i].name, length)) Py_CLEAR(dict);
        Py_XDECREF(length);
    }
    return dict;
}

int scp_py_trainer_of(struct scp_trainer **trainer, size_t *parameters, size_t *losses,
                      const struct scp_training *training, struct scp_args *args) {
    *losses = training->losses;
    for (size_t m = 0; m < training->n_models; m++) *parameters += training->models[m].parameters;
    scp_args_begin(args);
    return scp_args_end(args, scp_trainer_create(trainer, training));
}

struct trainer_run {
    struct scp_trainer *trainer;
    PyObject *arrays;
    uint64_t first;
    const double *rates;
    size_t steps;
    double *losses;
    size_t done;
};

static const struct scp_arg trainer_run_args[] = {
    OBJECT(trainer_run, trainer, &scp_py_trainer, .flags = SCP_ARG_BUSY),
    ANY(trainer_run, arrays, .note = "dict of float32 arrays, changed in place"),
    COUNT(trainer_run, first, 0, UINT64_MAX / 65536 / 16, .note = "number of the first step"),
    ARRAY(trainer_run, rates, "steps", .note = "learning rates"),
    PROGRESS,
    DIM(trainer_run, steps, steps),
    OUT(trainer_run, losses, "steps losses"),
    VALUE(trainer_run, done, .note = "fewer than steps: a loss is not finite"),
    END,
};

/* The arrays of the training, by name; as long as the dict lives. */
static int find_arrays(float **out, const struct scp_training *training, PyObject *dict) {
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    const size_t n = scp_training_arrays(rows, training);
    if (!PyDict_Check(dict)) {
        PyErr_Format(PyExc_TypeError, "arrays must be a dict, got %s", Py_TYPE(dict)->tp_name);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        PyObject *object = PyDict_GetItemString(dict, rows[i].name);
        if (!object) {
            PyErr_Format(PyExc_ValueError, "arrays must hold '%s'", rows[i].name);
            return -1;
        }
        PyArrayObject *array = scp_py_array(object, rows[i].name, NPY_FLOAT32, 1, SCP_PY_WRITE);
        if (!array || scp_py_length(array, rows[i].name, 0, (npy_intp)rows[i].length)) return -1;
        out[i] = PyArray_DATA(array);
    }
    return 0;
}

static int trainer_run(struct trainer_run *a, struct scp_args *args) {
    float *arrays[SCP_TRAIN_MAX_ARRAYS];
    if (find_arrays(arrays, scp_trainer_training(a->trainer), a->arrays)) return -1;
    scp_args_begin(args);
    return scp_args_end(args, scp_trainer_run(a->trainer, a->losses, &a->done, arrays, a->first,
                                              a->rates, a->steps, &args->call.control));
}
BODY(trainer_run, "Steps first, first + 1, .. of a training.")

const struct scp_function *const scp_py_train_functions[] = {
    &train_adam_function, &train_sgd_function, &train_average_function, &trainer_run_function,
    NULL};
