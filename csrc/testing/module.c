/* scp._testing: what only tests and benchmarks call, on the core of scp._core. A part of that
 * library where SCP_TESTING is defined: in development builds, never in a wheel (setup.py). */
#include "../python/args.h"

#define FUNCTIONS                                                                                  \
    F(set_isa), F(alloc_state), F(alloc_fail_at), F(pool_probe), F(graph_blocks), F(plan_shapes),  \
        F(plan_backward), F(functions), F(train_adam), F(train_sgd), F(train_average),             \
        F(contrast_sample), F(contrast_objective), F(refine_sample), F(refine_objective),          \
        F(supervise_sample), F(supervise_objective), F(face_sample), F(structure),                 \
        F(transfer_objective)

#define F(f) scp_function_##f
extern struct scp_function FUNCTIONS;
#undef F
#define F(f) &scp_function_##f
static struct scp_function *const functions[] = {FUNCTIONS, NULL};
extern PyMethodDef scp_testing_conv_methods[];

int scp_testing_add(void);

int scp_testing_add(void) {
    PyObject *testing = PyImport_AddModule("scp._testing"); /* borrowed, of sys.modules */
    if (!testing || scp_py_add_functions(testing, functions)) return -1;
    return PyModule_AddFunctions(testing, scp_testing_conv_methods);
}
