//! Sample backends: httpbin and helloworld.
