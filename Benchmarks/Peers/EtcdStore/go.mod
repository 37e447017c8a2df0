module peers/etcdstore

go 1.27

require peers v0.0.0

replace peers => ../Go
