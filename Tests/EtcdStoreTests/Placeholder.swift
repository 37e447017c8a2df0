// EtcdStoreTests
