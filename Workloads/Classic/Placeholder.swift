// Classic
