/* scp._testing: what only tests and benchmarks call, on the core of scp._core. A part of that
 * library where SCP_TESTING is defined: in development builds, never in a wheel (setup.py). */
#include "../python/args.h"

extern const scp_functions scp_testing_base_functions, scp_testing_nn_functions,
    scp_testing_spec_functions, scp_testing_train_functions;
extern PyMethodDef scp_testing_conv_methods[];

int scp_testing_add(PyObject *core);

int scp_testing_add(PyObject *core) {
    PyObject *testing = PyImport_AddModule("scp._testing"); /* borrowed, of sys.modules */
    if (!testing || scp_py_add_functions(core, testing, scp_testing_base_functions) ||
        scp_py_add_functions(core, testing, scp_testing_nn_functions) ||
        scp_py_add_functions(core, testing, scp_testing_spec_functions) ||
        scp_py_add_functions(core, testing, scp_testing_train_functions))
        return -1;
    for (PyMethodDef *method = scp_testing_conv_methods; method->ml_name; method++) {
        PyObject *function = PyCFunction_NewEx(method, core, NULL);
        const int failed = !function || PyModule_AddObjectRef(testing, method->ml_name, function);
        Py_XDECREF(function);
        if (failed) return -1;
    }
    return 0;
}
