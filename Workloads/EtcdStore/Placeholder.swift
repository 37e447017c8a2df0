// EtcdStore
